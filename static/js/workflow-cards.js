// What stands on each card and what is said of it aloud: the server's words, and until they come those of the kind.
import { RULES, TRIGGER, drawnWays, incoming, placesOf, read, target } from "./workflow-graph.js";

const TONES = { Messages: "message", Waits: "wait", Decisions: "decision", "People and data": "people", Ends: "end" };
// What is counted at a step: its word, its tone, and what it means.
export const NUMBERS = [
  ["waiting", "waiting", "", "People at this step now."],
  ["attention", "need attention", "danger", "People who cannot go on here by themselves. Attention says why, and what helps."],
  ["failed", "failed", "danger", "Mails or calls that were tried, and failed for good."],
  ["refused", "refused", "warn", "Mails not sent: there was no consent or no address, the person had enough mail, or the mail was taken back."],
  ["passed", "passed", "", "Went on from here, or came to the end. Also those whose mail was refused or failed, unless they left."],
  ["left", "left", "", "Left the journey while they were here, by one of the reasons that take people out."],
  ["goal", "reached the goal", "ok", "Left the journey from here, as they had reached its goal."],
];

export class Cards {
  constructor(palette) {
    this.kinds = new Map();
    for (const group of palette.groups)
      for (const kind of group.kinds) this.kinds.set(kind.kind, { ...kind, tone: TONES[group.label], group: group.label });
  }

  // `drawing`: definition, titles, trigger, rules, problems as the server says them.
  take(drawing, numbers) {
    this.definition = drawing.definition;
    this.titles = drawing.titles || {};
    this.trigger = drawing.trigger;
    this.rules = drawing.rules;
    this.numbers = numbers;
    this.problems = new Map();
    for (const problem of drawing.problems || []) {
      const at = problem.step && problem.step in this.definition.steps ? problem.step : problem.step ? null : this.top(problem);
      if (at) this.problems.set(at, [...(this.problems.get(at) || []), problem]);
    }
    const { order, back } = read(this.definition);
    this.order = order;
    this.back = back;
    this.places = new Map(order.map((id, n) => [id, n + 1]));
    this.twins = new Map();
    for (const id of order) this.twins.set(this.title(id), (this.twins.get(this.title(id)) || 0) + 1);
    this.drawn = null;
  }

  // What is wrong with the journey as a whole stands at its trigger, or at its rules.
  top({ field }) {
    return /^(exits|reentry|only)/.test(field || "") ? RULES : TRIGGER;
  }

  title(id) {
    if (id === TRIGGER) return this.trigger.title;
    if (id === RULES) return this.rules.title;
    const step = this.definition.steps[id];
    if (!step) return "a step that is gone";
    return this.said(id)?.title || step.name || this.kinds.get(step.kind).label;
  }

  // Told apart from others of the same title.
  name(id) {
    const title = this.title(id);
    return this.twins.get(title) > 1 && this.places.has(id) ? `${title} (step ${this.places.get(id)})` : title;
  }

  // The server's words, as long as they are about this kind of step.
  said(id) {
    const said = this.titles[id];
    return said && said.kind === this.definition.steps[id]?.kind ? said : null;
  }

  label({ from, way }) {
    if (from === TRIGGER) return "Start";
    return this.said(from)?.ways.find((one) => one.way === way)?.label || way;
  }

  // A place in words: "after ‘Wait 2 days’", "after ‘Did they click?’ by ‘Clicked’".
  place(place) {
    if (place.from === TRIGGER) return "at the start";
    const name = `after ‘${this.name(place.from)}’`;
    return drawnWays(this.definition.steps[place.from]).length > 1 ? `${name} by ‘${this.label(place)}’` : name;
  }

  all() {
    this.drawn ??= this.make();
    return this.drawn;
  }

  make() {
    const cards = new Map([
      [TRIGGER, this.top_card(TRIGGER, this.trigger, "bolt", "trigger")],
      [RULES, this.top_card(RULES, this.rules, "compliance", "rules")],
    ]);
    for (const id of this.order) cards.set(id, this.card(id));
    return cards;
  }

  top_card(id, { title, summary }, icon, tone) {
    const problems = this.problemsOf(id);
    return {
      kind: tone, icon, tone, title, summary, ...problems,
      full: `${title}\n${summary}`,
      aria: sentence(title, summary, id === TRIGGER ? this.ways(id) : "", problems.aria),
      numbers: null,
    };
  }

  card(id) {
    const step = this.definition.steps[id];
    const kind = this.kinds.get(step.kind);
    const title = this.title(id);
    const summary = this.said(id)?.summary || "";
    const numbers = this.numbers && this.numbersOf(id);
    const problems = this.problemsOf(id, numbers);
    const from = incoming(this.definition, id).map((place) => this.place(place));
    const where = `Step ${this.places.get(id)} of ${this.order.length}, ${from.length ? from.join(", and ") : "nothing leads here"}`;
    const counted = numbers?.map(({ value, label }) => `${value} ${label}`).join(", ");
    return {
      kind: step.kind, icon: kind.icon, tone: kind.tone, title, summary, ...problems,
      full: [title, summary, ...(counted ? [counted] : [])].filter(Boolean).join("\n"),
      aria: sentence(title, summary, counted, where, this.ways(id), problems.aria),
      numbers,
    };
  }

  ways(id) {
    const places = placesOf(this.definition, id);
    if (!places.length) return "The journey ends here";
    const to = (place) => {
      const next = target(this.definition, place);
      return next ? `to ‘${this.title(next)}’` : "ends the journey";
    };
    if (places.length === 1) return `Goes on ${to(places[0]).replace("ends the journey", "to the end")}`;
    return `Ways out: ${places.map((place) => `‘${this.label(place)}’ ${to(place)}`).join(", ")}`;
  }

  // People who need attention are a problem of the step they stand at.
  problemsOf(id, numbers) {
    const stuck = numbers?.find(({ what }) => what === "attention");
    const found = [...(this.problems.get(id) || []), ...(stuck ? [{ level: "error", text: `${stuck.value} need attention.` }] : [])];
    if (!found.length) return { problem: null, problems: "", aria: "", list: [] };
    const problem = found.some(({ level }) => level === "error") ? "error" : "warning";
    const words = found.map(({ text }) => text).join(" ");
    return { problem, problems: words, aria: `${found.length === 1 ? "Problem" : `${found.length} problems`}: ${words}`, list: found };
  }

  numbersOf(id) {
    const found = this.numbers[id] || {};
    const shown = NUMBERS.filter(([what]) => found[what] !== undefined && found[what] !== 0);
    return shown.map(([what, label, tone, means]) => ({ what, label, tone, means, value: told(found[what]) }));
  }
}

export const told = (value) => (typeof value === "number" ? value.toLocaleString("en-US") : String(value));

function sentence(...parts) {
  return parts.filter(Boolean).map((part) => (/[.!?]$/.test(part) ? part : `${part}.`)).join(" ");
}
