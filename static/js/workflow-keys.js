// The keyboard on the map: arrows walk, letters act. Every key stands in the help of the page, too.
import { RULES, TRIGGER, follow, incoming } from "./workflow-graph.js";

export class Keys {
  constructor(journey) {
    this.journey = journey;
    this.came = new Map();
    journey.stage.addEventListener("keydown", (event) => this.map(event));
    journey.root.querySelector(".journey-palette")?.addEventListener("keydown", (event) => this.palette(event));
    document.addEventListener("keydown", (event) => this.page(event));
    document.addEventListener("copy", (event) => this.clipboard(event));
    document.addEventListener("paste", (event) => this.clipboard(event));
  }

  map(event) {
    if (event.altKey) return;
    const id = event.target.closest("[data-step]")?.dataset.step;
    if (!id) return;
    const { journey } = this;
    const { actions } = journey;
    const at = () => journey.beside(id);
    const walk = { ArrowDown: "down", ArrowUp: "up", ArrowLeft: "left", ArrowRight: "right", Home: "first", End: "last" }[event.key];
    let act = null;
    if (event.ctrlKey || event.metaKey) return;
    const inList = journey.listRoot.contains(event.target);
    if (walk) act = inList ? () => this.along(id, walk) : () => this.walk(id, walk);
    else if (inList && (event.key === "Enter" || event.key === " ")) return; // it is a button
    else if (event.key === "Enter" || event.key === " ") act = () => journey.select(id, { panel: true, enter: true });
    else if (event.key === "p" || event.key === "P") act = () => journey.nextProblem();
    else if (!journey.editable) return;
    else
      act = {
        "+": () => actions.addAfter(id, at()),
        Insert: () => actions.addAfter(id, at()),
        Delete: () => actions.remove(id, at()),
        Backspace: () => actions.remove(id, at()),
        m: () => actions.moveFrom(id, at()),
        c: () => actions.connectOf(id, at()),
        ContextMenu: () => actions.menu(id, at()),
        F10: event.shiftKey ? () => actions.menu(id, at()) : null,
      }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  // One stop of the keyboard; arrows go through it.
  palette(event) {
    const kinds = [...event.currentTarget.querySelectorAll("[data-kind]")];
    const here = kinds.indexOf(event.target);
    const next = kinds[{ ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: kinds.length - 1 }[event.key]];
    if (!next) return;
    event.preventDefault();
    for (const kind of kinds) kind.tabIndex = kind === next ? 0 : -1;
    next.focus();
  }

  page(event) {
    const typing = event.target.matches?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
    if (event.defaultPrevented || document.querySelector("dialog[open], .journey-menu")) return;
    const { journey } = this;
    const control = event.ctrlKey || event.metaKey;
    const letter = event.key.toLowerCase();
    if (event.key === "Escape" && journey.selected && !typing) journey.select(null, { focus: true });
    else if (typing) return;
    else if (journey.editable && control && letter === "z") event.shiftKey ? journey.actions.redo() : journey.actions.undo();
    else if (journey.editable && control && letter === "y") journey.actions.redo();
    else if (control) return;
    else if (event.key === "?") document.getElementById("journey-help")?.showModal();
    else if (letter === "f" && journey.svg.contains(event.target)) journey.view.fit();
    else if (letter === "l" && (journey.svg.contains(event.target) || journey.listRoot.contains(event.target))) journey.show(journey.seen === "map" ? "list" : "map");
    else return;
    event.preventDefault();
  }

  clipboard(event) {
    const { journey } = this;
    const id = document.activeElement?.closest?.("[data-step]")?.dataset.step;
    if (!journey.editable || !id || (event.type === "copy" && getSelection().toString())) return;
    event.preventDefault();
    if (event.type === "copy") {
      const text = journey.actions.copy(id, false);
      if (text) event.clipboardData.setData("text/plain", text);
      return;
    }
    journey.actions.takeClip(event.clipboardData.getData("text/plain"));
    journey.actions.pasteAfter(id, journey.beside(id));
  }

  // Down to what comes next and up again the way one came; left and right to what stands beside it.
  walk(id, to) {
    const next = this.next(id, to);
    if (next) {
      if (to === "down") this.came.set(next, id);
      this.journey.focus(next);
    } else this.journey.say({ down: "Nothing comes after it.", up: "Nothing comes before it.", left: "Nothing stands to the left.", right: "Nothing stands to the right." }[to] || "");
  }

  along(id, to) {
    const rows = [...this.journey.listRoot.querySelectorAll(".journey-open")].map((row) => row.dataset.step);
    const here = rows.indexOf(id);
    const next = { down: here + 1, up: here - 1, first: 0, last: rows.length - 1 }[to];
    if (next in rows) this.journey.focus(rows[next]);
  }

  next(id, to) {
    const { definition } = this.journey.draft;
    const { order } = this.journey.cards;
    if (to === "first") return TRIGGER;
    if (to === "last") return order.at(-1) || RULES;
    if (id === TRIGGER) return to === "down" ? RULES : to === "right" ? this.beside(id, 1) : to === "left" ? this.beside(id, -1) : null;
    if (to === "down") return id === RULES ? definition.start || order[0] : follow(definition, id)[0];
    if (to === "up") {
      if (id === RULES) return TRIGGER;
      const before = incoming(definition, id).map((place) => (place.from === TRIGGER ? RULES : place.from));
      return before.includes(this.came.get(id)) ? this.came.get(id) : before[0];
    }
    return this.beside(id, to === "left" ? -1 : 1);
  }

  // The nearest card on that side: of the same height first.
  beside(id, side) {
    const { nodes } = this.journey.plan;
    const middle = (box) => [box.x + box.width / 2, box.y + box.height / 2];
    const [x, y] = middle(nodes.get(id));
    let best = null;
    let least = Infinity;
    for (const [other, box] of nodes) {
      const [ox, oy] = middle(box);
      const far = Math.abs(oy - y) * 4 + Math.abs(ox - x);
      if ((ox - x) * side > 20 && far < least) [best, least] = [other, far];
    }
    return best;
  }
}
