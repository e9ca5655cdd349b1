// What somebody can do, by mouse, keyboard or list alike: each asks what it needs by a menu, edits, and says what it did.
import { OPTIONAL, RULES, TRIGGER, hasOwnWay, loose, placesOf, region, target } from "./workflow-graph.js";
import * as edits from "./workflow-edits.js";
import { openMenu } from "./workflow-menu.js";

const CLIP = "carillon-steps";
const many = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;

export class Actions {
  constructor(journey) {
    this.journey = journey;
    this.clip = null;
  }

  get definition() {
    return this.journey.draft.definition;
  }

  get cards() {
    return this.journey.cards;
  }

  isStep(id) {
    return Boolean(id) && id in this.definition.steps;
  }

  // Runs an edit; what it refuses is said, and nothing is done.
  do(what, edit) {
    let result;
    try {
      result = edit();
    } catch (error) {
      if (!(error instanceof edits.Refused)) throw error;
      this.journey.refuse(error.message);
      return null;
    }
    this.journey.draft.change(result.definition, what);
    return result;
  }

  // -- adding ---------------------------------------------------------------------------------------------------------

  // Where a step is added after `id`: by its one way out, or by which.
  byWay(id, title, at, then) {
    const ways = placesOf(this.definition, id);
    if (!ways.length) return this.journey.refuse("An end has no way on.");
    if (ways.length === 1) return then(ways[0]);
    const items = ways.map((place) => ({
      label: this.cards.label(place),
      help: this.leads(place),
      look: () => this.journey.look(place),
      run: () => then(place),
    }));
    openMenu({ title, at, groups: [{ items }] });
  }

  leads(place) {
    const to = target(this.definition, place);
    return to ? `leads to ‘${this.cards.name(to)}’` : "ends the journey";
  }

  addAfter(id, at) {
    this.byWay(id, "Add a step by which way?", at, (place) => this.addAt(place, at));
  }

  addAt(place, at) {
    const groups = this.journey.palette.groups.map(({ label, kinds }) => ({
      label,
      items: kinds.map((kind) => ({
        label: kind.label,
        help: kind.help,
        icon: this.journey.icon(kind.icon),
        run: () => this.add(place, kind),
      })),
    }));
    const more = [{ label: "Lead to a step there is…", icon: this.journey.icon("link"), run: () => this.connectFrom(place, at) }];
    if (this.clip) more.unshift({ label: `Paste ${this.clipped()}`, icon: this.journey.icon("copy"), run: () => this.paste(place) });
    if (target(this.definition, place)) more.push({ label: "End the journey here", icon: this.journey.icon("stop"), help: "What follows stays on the map", run: () => this.connect(place, null) });
    groups.push({ label: "Or", items: more });
    openMenu({ title: `Add ${this.cards.place(place)}`, at, groups });
  }

  add(place, kind) {
    const where = this.cards.place(place);
    const result = this.do(`adding ‘${kind.label}’`, () => edits.add(this.definition, place, kind.step));
    if (!result) return;
    const rest = loose(this.definition).length ? " What came after it hangs loose now: lead a way to it, or delete it." : "";
    this.journey.say(`‘${kind.label}’ added ${where}.${kind.kind === "end" ? rest : ""}`);
    this.journey.select(result.id, { focus: true });
  }

  // -- taking away ----------------------------------------------------------------------------------------------------

  remove(id, at) {
    if (!this.isStep(id)) return this.journey.refuse("What starts the journey cannot be deleted; open it to change it.");
    const { options, join } = edits.remains(this.definition, id);
    const targets = [...new Set(options.map((option) => option.to))];
    if (targets.length <= 1) return this.removeFor(id, targets[0] ?? null);
    const items = options.map(({ way, to }) => ({
      label: `Keep ‘${this.cards.label({ from: id, way })}’`,
      help: `goes on with ‘${this.cards.title(to)}’${this.loses(id, to)}`,
      run: () => this.removeFor(id, to),
    }));
    if (join && !targets.includes(join))
      items.push({ label: "Keep no way of it", help: `goes on with ‘${this.cards.title(join)}’${this.loses(id, join)}`, run: () => this.removeFor(id, join) });
    items.push({ label: "Delete everything after it, too", help: `${many(edits.remove(this.definition, id, null).gone, "step")} besides it`, danger: true, run: () => this.removeFor(id, null) });
    openMenu({ title: `Delete ‘${this.cards.title(id)}’: which way stays?`, at, groups: [{ items }] });
  }

  loses(id, to) {
    const { gone } = edits.remove(this.definition, id, to);
    return gone ? `; ${many(gone, "step")} of other ways ${gone === 1 ? "goes" : "go"}` : "";
  }

  removeFor(id, to) {
    const title = this.cards.title(id);
    const near = this.journey.before(id);
    const result = this.do(`deleting ‘${title}’`, () => edits.remove(this.definition, id, to));
    if (!result) return;
    const more = result.gone ? ` and ${many(result.gone, "step")} that hung on it` : "";
    this.journey.say(`‘${title}’${more} deleted. Undo brings ${more ? "them" : "it"} back.`);
    this.journey.select(null);
    this.journey.focus(this.isStep(near) ? near : to && this.isStep(to) ? to : TRIGGER);
  }

  // -- moving ---------------------------------------------------------------------------------------------------------

  // To a place chosen from all there are; the map shows the one the keyboard is at.
  moveFrom(id, at) {
    if (!this.isStep(id)) return this.journey.refuse("What starts the journey stays at its top.");
    const with_ = region(this.definition, id).steps.size - 1;
    const items = edits
      .placesFor(this.definition, id)
      .map((place) => ({ label: capital(this.cards.place(place)), help: this.leads(place), look: () => this.journey.look(place), run: () => this.move(id, place) }));
    if (!items.length) return this.journey.refuse("There is no other place to move it to.");
    openMenu({ title: `Move ‘${this.cards.title(id)}’${with_ ? ` with ${many(with_, "step")} of its ways` : ""} to…`, at, groups: [{ items }] });
  }

  move(id, place) {
    const title = this.cards.title(id);
    const where = this.cards.place(place);
    if (!this.do(`moving ‘${title}’`, () => edits.move(this.definition, id, place, `‘${title}’`))) return;
    this.journey.say(`‘${title}’ moved ${where}.`);
    this.journey.focus(id);
  }

  // -- ways -----------------------------------------------------------------------------------------------------------

  connectOf(id, at) {
    if (id === RULES) id = TRIGGER;
    this.byWay(id, "Which way shall lead elsewhere?", at, (place) => this.connectFrom(place, at));
  }

  connectFrom(place, at) {
    const now = target(this.definition, place);
    const items = this.cards.order
      .filter((id) => id !== place.from && id !== now)
      .map((id) => ({ label: this.cards.name(id), help: this.cards.said(id)?.summary, look: () => this.journey.lookAt(id), run: () => this.connect(place, id) }));
    if (now) items.unshift({ label: "Nowhere: the journey ends there", run: () => this.connect(place, null) });
    if (!items.length) return this.journey.refuse("There is no other step to lead to yet.");
    openMenu({ title: `Lead ${this.cards.place(place).replace(/^after /, "")} to…`, at, groups: [{ items }] });
  }

  connect(place, to) {
    const where = capital(this.cards.place(place));
    if (!this.do("leading a way elsewhere", () => edits.connect(this.definition, place, to))) return;
    this.journey.say(to ? `${where}, people now go on to ‘${this.cards.title(to)}’.` : `${where}, the journey now ends.`);
    this.journey.focus(place.from);
  }

  ownWay(id) {
    const step = this.definition.steps[id];
    const title = this.cards.title(id);
    if (hasOwnWay(step)) {
      const result = this.do("taking a way away", () => edits.unite(this.definition, id));
      if (result) this.journey.say(`‘${title}’ has one way out again${result.gone ? `; ${many(result.gone, "step")} deleted` : ""}.`);
    } else if (this.do("a way of its own", () => edits.separate(this.definition, id))) this.journey.say(`‘${title}’ has two ways out now.`);
    this.journey.focus(id);
  }

  // -- copying --------------------------------------------------------------------------------------------------------

  copy(id, following) {
    if (!this.isStep(id)) return this.journey.refuse("Choose a step to copy.");
    this.clip = edits.copy(this.definition, id, following);
    const name = `‘${this.cards.title(id)}’`;
    this.journey.say(`${following && this.size() > 1 ? `${name} and ${many(this.size() - 1, "step")} after it` : name} copied. Paste it at a plus, or after a step.`);
    return JSON.stringify({ [CLIP]: this.clip });
  }

  size() {
    return Object.keys(this.clip.steps).length;
  }

  clipped() {
    const name = this.clip.steps[this.clip.first].name || this.cards.kinds.get(this.clip.steps[this.clip.first].kind).label;
    return `‘${name}’${this.size() > 1 ? ` and ${many(this.size() - 1, "step")} after it` : ""}`;
  }

  // From another journey's tab, perhaps.
  takeClip(text) {
    try {
      const { first, steps } = JSON.parse(text)[CLIP];
      if (first in steps && Object.values(steps).every((step) => this.cards.kinds.has(step.kind))) this.clip = { first, steps };
    } catch {
      // Whatever it is, it is no steps: those copied here stay.
    }
  }

  pasteAfter(id, at) {
    if (!this.clip) return this.journey.refuse("Nothing was copied yet.");
    this.byWay(id, "Paste by which way?", at, (place) => this.paste(place));
  }

  paste(place) {
    const name = this.clipped();
    const where = this.cards.place(place);
    const result = this.do(`pasting ${name}`, () => edits.paste(this.definition, place, this.clip, name));
    if (!result) return;
    this.journey.say(`${name} pasted ${where}.`);
    this.journey.select(result.id, { focus: true });
  }

  // -- the past -------------------------------------------------------------------------------------------------------

  undo() {
    this.go(() => this.journey.draft.undo(), "Undone", "There is nothing to undo.");
  }

  redo() {
    this.go(() => this.journey.draft.redo(), "Done again", "There is nothing to do again.");
  }

  // And to where something came back or is another now.
  go(back, said, nothing) {
    const was = this.definition;
    const what = back();
    if (!what) return this.journey.say(nothing);
    const now = this.definition;
    const changed = this.cards.order.filter((id) => was.steps[id] !== now.steps[id]);
    const first = changed.find((id) => !was.steps[id]) || changed[0];
    if (first) this.journey.focus(first);
    this.journey.say(`${said}: ${what}.`);
  }

  // -- all of it in one menu ------------------------------------------------------------------------------------------

  menu(id, at) {
    const icon = (name) => this.journey.icon(name);
    if (!this.isStep(id)) {
      const items = [
        { label: "Open", icon: icon("draft"), run: () => this.journey.select(id, { panel: true }) },
        { label: "Add the first step…", icon: icon("plus"), run: () => this.addAfter(id, at) },
      ];
      if (this.clip) items.push({ label: `Paste ${this.clipped()}`, icon: icon("copy"), run: () => this.pasteAfter(id, at) });
      return openMenu({ title: this.cards.title(id), at, groups: [{ items }] });
    }
    const step = this.definition.steps[id];
    const ends = !placesOf(this.definition, id).length;
    const items = [{ label: "Open", icon: icon("draft"), keys: "Enter", run: () => this.journey.select(id, { panel: true }) }];
    if (!ends) items.push({ label: "Add a step after it…", icon: icon("plus"), keys: "+", run: () => this.addAfter(id, at) });
    items.push({ label: "Move…", icon: icon("right"), keys: "M", run: () => this.moveFrom(id, at) });
    if (!ends) items.push({ label: "Lead a way to another step…", icon: icon("link"), keys: "C", run: () => this.connectOf(id, at) });
    if (OPTIONAL[step.kind]) items.push({ label: hasOwnWay(step) ? OWN[step.kind][1] : OWN[step.kind][0], icon: icon("fork"), run: () => this.ownWay(id) });
    const copies = [
      { label: "Copy", icon: icon("copy"), keys: "Ctrl+C", run: () => this.copy(id, false) },
      { label: "Copy with all that follows", icon: icon("copy"), run: () => this.copy(id, true) },
    ];
    if (this.clip && !ends) copies.push({ label: `Paste ${this.clipped()} after it`, icon: icon("copy"), keys: "Ctrl+V", run: () => this.pasteAfter(id, at) });
    const gone = [{ label: "Delete", icon: icon("trash"), keys: "Delete", danger: true, run: () => this.remove(id, at) }];
    openMenu({ title: this.cards.title(id), at, groups: [{ items }, { items: copies }, { items: gone }] });
  }
}

const OWN = {
  mail: ["Another way for whoever is not mailed", "No other way for whoever is not mailed"],
  wait_until: ["Another way where the date has passed", "No other way where the date has passed"],
  webhook: ["Another way where the call failed", "No other way where the call failed"],
};

const capital = (text) => text[0].toUpperCase() + text.slice(1);
