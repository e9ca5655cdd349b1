// The map of a journey: drawn from its definition, changed in the page, saved at once (workflow-draft.js). The same
// module shows a published version with live numbers, without its tools.
import { toast } from "./toasts.js";
import { Actions } from "./workflow-actions.js";
import { Bar } from "./workflow-bar.js";
import { Cards, told } from "./workflow-cards.js";
import { Draft, ask } from "./workflow-draft.js";
import { Drawing, clip, wide } from "./workflow-draw.js";
import { same } from "./workflow-edits.js";
import { RULES, TRIGGER, incoming, key, places, placesOf, target } from "./workflow-graph.js";
import { Keys } from "./workflow-keys.js";
import { layout } from "./workflow-layout.js";
import { List } from "./workflow-list.js";
import { Panel, legend } from "./workflow-panel.js";
import { Pointer } from "./workflow-pointer.js";
import { View } from "./workflow-view.js";

const NUMBERS_EVERY_MS = 5000;
const LIST_AFTER_MS = 250;
const LABEL_WIDTH = 190;

class Journey {
  constructor(root) {
    this.root = root;
    this.svg = root.querySelector(".journey-map");
    this.listRoot = root.querySelector(".journey-list");
    this.stage = root.querySelector(".journey-stage");
    this.editable = "edits" in root.dataset;
    this.palette = JSON.parse(document.getElementById("journey-palette").textContent);
    this.cards = new Cards(this.palette);
    this.draft = new Draft(root.dataset.draft);
    this.bar = new Bar(this);
    this.panel = new Panel(this, root.querySelector(".journey-panel"));
    this.drawing = new Drawing(this.svg, { icons: this.palette.icons, editable: this.editable });
    this.view = new View(this.svg, this.drawing.world, { embedded: !root.closest(".canvas"), zoomed: (scale) => this.bar.zoomed(scale) });
    this.list = new List(this.listRoot, { icon: (name) => this.icon(name), editable: this.editable });
    this.actions = new Actions(this);
    this.numbers = root.dataset.numbers ? {} : null; // room for them from the beginning
    this.selected = null;
    this.stop = TRIGGER; // the card the keyboard comes to
    this.show(matchMedia("(max-width: 860px)").matches ? "list" : "map");
    this.pointer = new Pointer(this);
    this.keys = new Keys(this);
    this.listen();
    this.start();
  }

  async start() {
    if (!(await this.draft.load())) return;
    this.root.removeAttribute("aria-busy");
    if (this.root.dataset.numbers) this.count();
  }

  listen() {
    this.draft.addEventListener("drawn", () => this.draw());
    this.draft.addEventListener("named", () => this.draw());
    this.draft.addEventListener("merged", () => this.say("Somebody else changed this journey meanwhile. Both changes are in it now."));
    this.root.addEventListener("click", (event) => this.click(event));
    // Not on the map itself: a browser gives what listens for focus the keyboard, too.
    this.stage.addEventListener("focusin", (event) => this.at(event.target.closest("[data-step]")?.dataset.step));
    document.addEventListener("panel-close", () => this.select(null, { focus: true }));
    document.addEventListener("journey-menu-closed", () => this.unlook());
    // A panel saved its step: what it saved is drawn, and undoing takes it back.
    document.addEventListener("draft-saved", () => this.draft.reload(`changing ‘${this.selected ? this.cards.title(this.selected) : "the journey"}’`));
    addEventListener("beforeunload", (event) => {
      if (this.draft.atRisk) event.preventDefault();
    });
    new ResizeObserver(() => this.resized()).observe(this.svg);
  }

  // -- drawing --------------------------------------------------------------------------------------------------------

  draw() {
    const { draft } = this;
    const before = this.plan?.nodes.get(this.stop);
    const had = this.svg.contains(document.activeElement) ? document.activeElement.closest("[data-step]")?.dataset.step : null;
    const near = had && !this.exists(had) ? this.before(had) : had;
    this.cards.take(draft, this.numbers);
    if (this.selected && !this.exists(this.selected)) this.select(null);
    if (!this.exists(this.stop)) this.stop = near && this.exists(near) ? near : TRIGGER;
    this.lay();
    this.view.box = this.plan.box;
    this.drawing.draw(this.plan, this.cards.all());
    if (this.placed) {
      this.view.hold(before, this.plan.nodes.get(this.stop));
      this.view.apply();
    } else this.begin();
    this.stops();
    if (had && document.activeElement !== this.drawing.node(this.stop)) this.focus(this.stop);
    this.listSoon();
    this.bar.draw();
    this.panel.freshen();
  }

  // Behind the map the list may come a moment later.
  listSoon() {
    clearTimeout(this.soon);
    const draw = () => this.list.draw(this.cards, { selected: this.selected, seen: this.seen === "list" });
    if (this.seen === "list") draw();
    else this.soon = setTimeout(draw, LIST_AFTER_MS);
  }

  // Everything's place; thought out anew only where something stands or is called differently.
  lay() {
    const { definition } = this.draft;
    const label = (place, to) => clip(to ? `Back to ‘${this.cards.title(to)}’` : this.cards.label(place), LABEL_WIDTH, "550 12.5px");
    const shape = [TRIGGER, ...this.cards.order].map((id) => {
      const all = placesOf(definition, id);
      return all.map((place) => {
        const to = target(definition, place);
        return [key(place), to, all.length > 1 && label(place), to && this.cards.back.has(key(place)) && label(place, to)];
      });
    });
    const ends = this.cards.order.filter((id) => definition.steps[id].kind === "end");
    const shows = JSON.stringify([shape, this.cards.order, ends, Boolean(this.numbers)]);
    if (shows === this.laid) return;
    this.laid = shows;
    this.plan = layout(definition, { label, wide, numbers: Boolean(this.numbers) });
  }

  begin() {
    if (!this.svg.clientWidth) return; // behind the list
    this.placed = true;
    this.view.begin(this.plan.nodes.get(TRIGGER));
  }

  resized() {
    if (!this.plan || this.seen !== "map") return;
    if (!this.placed) this.begin();
    else if (this.selected) this.view.show(this.plan.nodes.get(this.selected));
  }

  exists(id) {
    return id === TRIGGER || id === RULES || id in this.draft.definition.steps;
  }

  stops() {
    for (const id of this.plan.nodes.keys()) {
      const node = this.drawing.node(id);
      node.setAttribute("tabindex", id === this.stop && this.seen === "map" ? "0" : "-1");
      this.drawing.element(id).classList.toggle("selected", id === this.selected);
      if (id === this.selected) node.setAttribute("aria-current", "true");
      else node.removeAttribute("aria-current");
    }
  }

  icon(name) {
    const holder = document.createElement("template");
    holder.innerHTML = '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path></path></svg>';
    const svg = holder.content.firstElementChild;
    svg.firstElementChild.setAttribute("d", this.palette.icons[name]);
    return svg;
  }

  card(id) {
    return this.cards.all().get(id);
  }

  place(name) {
    return places(this.draft.definition).find((one) => key(one) === name);
  }

  // -- what is said ---------------------------------------------------------------------------------------------------

  say(text) {
    document.getElementById("announcer").textContent = text;
  }

  refuse(text) {
    this.say(text);
    toast(text);
  }

  nextProblem() {
    const ids = [TRIGGER, RULES, ...this.cards.order].filter((id) => this.cards.problems.has(id));
    if (!ids.length) return this.say("There are no problems.");
    const all = [TRIGGER, RULES, ...this.cards.order];
    const here = all.indexOf(this.stop);
    this.focus(ids.find((id) => all.indexOf(id) > here) || ids[0]);
  }

  // -- where one is ---------------------------------------------------------------------------------------------------

  at(id) {
    if (!id || id === this.stop) return;
    this.drawing.node(this.stop)?.setAttribute("tabindex", "-1");
    this.stop = id;
    this.drawing.node(id)?.setAttribute("tabindex", "0");
  }

  focus(id) {
    if (!id || !this.exists(id)) return;
    this.at(id);
    if (this.seen === "list") return this.listRoot.querySelector(`[data-name="open ${CSS.escape(id)}"]`)?.focus();
    this.view.show(this.plan.nodes.get(id));
    this.drawing.node(id).focus({ preventScroll: true });
  }

  // `panel`: open it; `enter`: and go on inside it.
  select(id, { focus = false, panel = false, enter = false } = {}) {
    const before = this.selected;
    this.selected = id;
    if (id && !panel && this.editable) panel = matchMedia("(min-width: 861px)").matches;
    if (id) this.at(id);
    this.stops();
    for (const open of this.listRoot.querySelectorAll(".journey-open"))
      if (open.dataset.step === id) open.setAttribute("aria-current", "true");
      else open.removeAttribute("aria-current");
    if (id && panel) this.panel.open(id, enter);
    else if (!id) this.panel.close();
    if (focus) this.focus(id || before);
  }

  // -- showing places -------------------------------------------------------------------------------------------------

  mark(place) {
    this.unlook();
    for (const name of [`plus ${key(place)}`, `line ${key(place)}`]) this.drawing.made.get(name)?.element.classList.add("over");
  }

  markStep(id) {
    this.unlook();
    this.drawing.element(id)?.classList.add("over");
  }

  look(place) {
    if (this.seen !== "map") return;
    this.mark(place);
    const { plus } = this.plan.ways.find((way) => way.key === key(place));
    this.view.show({ x: plus.x - 60, y: plus.y - 60, width: 120, height: 120 });
  }

  lookAt(id) {
    if (this.seen !== "map") return;
    this.markStep(id);
    this.view.show(this.plan.nodes.get(id));
  }

  unlook() {
    for (const one of this.svg.querySelectorAll(".over")) one.classList.remove("over");
  }

  offer(open) {
    const allowed = open && new Set(open.map(key));
    for (const plus of this.svg.querySelectorAll(".plus")) plus.classList.toggle("offered", Boolean(allowed?.has(plus.dataset.plus)));
  }

  dim(id) {
    for (const card of this.svg.querySelectorAll(".dimmed")) card.classList.remove("dimmed");
    if (id) this.drawing.element(id).classList.add("dimmed");
  }

  beside(id) {
    const element = this.seen === "list" ? this.listRoot.querySelector(`[data-name="open ${CSS.escape(id)}"]`) : this.drawing.node(id);
    const box = element.getBoundingClientRect();
    return this.seen === "list" ? { x: box.left, y: box.bottom } : { x: box.right + 8, y: box.top };
  }

  // Where the keyboard goes when a step is gone.
  before(id) {
    return incoming(this.cards.definition, id)[0]?.from || TRIGGER;
  }

  // -- tools ----------------------------------------------------------------------------------------------------------

  show(what) {
    this.seen = what;
    this.root.dataset.seen = what;
    for (const button of this.root.querySelectorAll("[data-show]")) button.setAttribute("aria-pressed", String(button.dataset.show === what));
    if (!this.plan) return;
    if (what === "map" && !this.placed) this.begin();
    this.stops();
    this.list.draw(this.cards, { selected: this.selected, seen: what === "list" });
    this.focus(this.stop);
    this.say(what === "map" ? "The map is shown." : "The list is shown.");
  }

  click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const box = button.getBoundingClientRect();
    const at = { x: box.left, y: box.bottom + 4 };
    const { act, show, kind, more, plus, goes, step } = button.dataset;
    if (act) this.bar.act(act, at, button);
    else if (show) this.show(show);
    else if (kind) this.pick(kind, at);
    else if (!this.listRoot.contains(button)) return;
    else if (more) this.actions.menu(more, at);
    else if (plus) this.actions.addAt(this.place(plus), at);
    else if (goes) this.focus(goes);
    else if (step) this.select(step, { panel: true, enter: true });
  }

  // A kind clicked in the palette goes after the step the keyboard is at.
  pick(name, at) {
    const kind = this.cards.kinds.get(name);
    this.actions.byWay(this.stop, `Add ‘${kind.label}’ by which way?`, at, (place) => this.actions.add(place, kind));
  }

  // The sums above the map, which stand there from the beginning.
  tiles(sums) {
    for (const tile of document.querySelectorAll("[data-live]")) tile.textContent = told(sums[tile.dataset.live]);
  }

  async count() {
    if (!document.hidden) {
      const answer = await ask(this.root.dataset.numbers, null, { poll: true });
      if (answer.ok) {
        this.tiles(answer.data);
        const fresh = answer.data.steps;
        if (!same(fresh, this.numbers)) {
          this.numbers = fresh;
          this.draw();
        }
      }
    }
    setTimeout(() => this.count(), NUMBERS_EVERY_MS);
  }
}

for (const root of document.querySelectorAll("[data-journey]")) new Journey(root);
document.querySelectorAll("[data-legend]").forEach(legend);
