// Above the map: what was saved, what is wrong, undo and redo, size, and who wins where two people changed the same.
import { openMenu } from "./workflow-menu.js";

const STATES = { loading: "Loading…", saved: "Saved", saving: "Saving…" };
const many = (n, one) => (n ? `${n} ${one}${n === 1 ? "" : "s"}` : "");

export class Bar {
  constructor(journey) {
    this.journey = journey;
    this.root = journey.root;
    journey.draft.addEventListener("state", () => this.told());
  }

  told() {
    const { journey } = this;
    const { state, message } = journey.draft;
    const words = this.root.querySelector(".journey-state");
    if (words) {
      words.textContent = STATES[state] || (state === "conflict" ? "Not saved: somebody else saved meanwhile." : `Not saved: ${message}`);
      words.classList.toggle("bad", state === "failed" || state === "conflict");
      words.title = words.textContent;
    }
    // Said once, however often it is tried again.
    if (state === "failed" && this.complained !== message) journey.refuse(journey.editable ? `Not saved: ${message}` : `This journey could not be loaded: ${message}`);
    if (state === "saved" || state === "failed") this.complained = message;
    if (state === "conflict") document.getElementById("journey-conflict").showModal();
  }

  draw() {
    const { cards, draft } = this.journey;
    for (const [name, stack] of [["undo", draft.past], ["redo", draft.future]]) {
      const button = this.root.querySelector(`[data-act="${name}"]`);
      if (button) button.disabled = !stack.length;
    }
    const button = this.root.querySelector(".journey-problems-open");
    if (!button) return;
    const all = [...cards.problems.values()].flat();
    const errors = all.filter(({ level }) => level === "error").length;
    const words = [many(errors, "problem"), many(all.length - errors, "note")].filter(Boolean).join(", ");
    button.replaceChildren(this.journey.icon(all.length ? "warning" : "done"), words || "No problems");
    button.classList.toggle("error", errors > 0);
    button.disabled = !all.length;
  }

  zoomed(scale) {
    const shown = this.root.querySelector(".journey-zoom");
    if (shown) shown.textContent = `${Math.round(scale * 100)} %`;
  }

  problems(at, opener) {
    const { journey } = this;
    const items = [];
    for (const [id, found] of journey.cards.problems)
      for (const { text, level } of found)
        items.push({
          label: journey.cards.name(id),
          help: text,
          tone: level,
          icon: journey.icon(level === "error" ? "warning" : "info"),
          look: () => journey.lookAt(id),
          run: () => journey.select(id, { focus: true, panel: true }),
        });
    if (items.length) openMenu({ title: "To be mended", at, opener, groups: [{ items }] });
  }

  act(name, at, button) {
    const { journey } = this;
    const tools = {
      undo: () => journey.actions.undo(),
      redo: () => journey.actions.redo(),
      in: () => journey.view.zoom(1.2),
      out: () => journey.view.zoom(1 / 1.2),
      fit: () => journey.view.fit(),
      problems: () => this.problems(at, button),
      close: () => journey.select(null, { focus: true }),
      mine: () => this.decide(true),
      theirs: () => this.decide(false),
    };
    tools[name]?.();
  }

  decide(mine) {
    document.getElementById("journey-conflict").close();
    this.journey.draft.decide(mine);
    this.journey.say(mine ? "What you drew stands. Undo shows theirs." : "What they drew stands. Undo brings yours back.");
  }
}
