// What stands beside the map: the form of the chosen step (panels.js keeps what is typed), or a step's numbers.
import { same } from "./workflow-edits.js";
import { NUMBERS } from "./workflow-cards.js";
import { RULES, TRIGGER } from "./workflow-graph.js";

// A part of the definition that one panel is about.
function part({ trigger, reentry, exits, only, steps }, id) {
  return id === TRIGGER ? trigger : id === RULES ? { reentry, exits, only } : steps[id];
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);

// What each number on a card means, once for the whole map.
export function legend(list) {
  for (const [, label, , means] of NUMBERS) list.append(make("dt", capital(label)), make("dd", means));
}

function make(name, text, attributes = {}) {
  const element = document.createElement(name);
  element.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  return element;
}

export class Panel {
  constructor(journey, element) {
    this.journey = journey;
    this.element = element;
    this.shown = null;
  }

  // `enter`: the keyboard goes on inside it.
  async open(id, enter = false) {
    const { draft, editable } = this.journey;
    this.element.hidden = false;
    this.shown = { id, part: part(draft.definition, id), enter };
    if (!editable) return this.facts(id, enter);
    if (draft.unsaved && !(await draft.save())) return;
    if (this.shown?.id !== id) return;
    // A panel takes the keyboard when it opens; not where somebody only chose a step on the map.
    this.element.toggleAttribute("data-quiet", !enter);
    const { triggerUrl, rulesUrl, stepUrl } = this.element.dataset;
    this.fetch(id === TRIGGER ? triggerUrl : id === RULES ? rulesUrl : stepUrl.replace("STEP", encodeURIComponent(id)));
  }

  // After what the panel before it still has to save.
  fetch(url) {
    const link = make("button", "", { "hx-get": url, "hx-target": "#panel-body", "hx-swap": "outerHTML", "hx-sync": "closest aside:queue all" });
    link.hidden = true;
    this.element.append(link);
    window.htmx.process(link);
    link.addEventListener("htmx:afterRequest", () => this.shown && (this.shown.enter = false));
    link.click();
    setTimeout(() => link.remove(), 30_000);
  }

  // What changed behind its open panel is shown anew: undone, merged, or led elsewhere.
  freshen() {
    const { draft, editable } = this.journey;
    if (!this.shown || !editable || draft.unsaved) return;
    const now = part(draft.definition, this.shown.id);
    if (same(this.shown.part, now)) return;
    this.shown = { ...this.shown, part: now };
    // Where the keyboard is on its way into it, it still goes there.
    if (!this.element.contains(document.activeElement)) this.open(this.shown.id, this.shown.enter || "entering" in this.element.dataset);
  }

  // Of a published step: everything its card had no room for.
  facts(id, enter) {
    const { root, draft } = this.journey;
    const card = this.journey.card(id);
    const close = make("button", "", { type: "button", class: "button plain icon-only journey-panel-close", "data-act": "close", "aria-label": "Close" });
    close.append(this.journey.icon("close"));
    const title = make("h2", card.title, { tabindex: "-1" });
    const list = make("ul", "", { class: "unmarked stack tight" });
    for (const { label, value, means } of card.numbers || []) {
      const line = make("li", "");
      line.append(make("strong", value), ` ${label}`, make("div", means, { class: "small soft" }));
      list.append(line);
    }
    const { people } = root.dataset;
    const href = people && id in draft.definition.steps && `${people}?step=${encodeURIComponent(id)}`;
    this.body.replaceChildren(close, title, make("p", card.summary), list, ...(href ? [make("a", "Who is here", { href })] : []));
    if (enter) title.focus();
  }

  get body() {
    return this.element.querySelector("#panel-body");
  }

  close() {
    this.shown = null;
    this.element.hidden = true;
    this.body.replaceChildren();
  }
}
