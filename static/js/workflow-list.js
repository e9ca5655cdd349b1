// The journey as nested lists: always in the page for whoever cannot see the map, and on a phone in its place.
import { RULES, TRIGGER, key, outline } from "./workflow-graph.js";

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(attribute, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

export class List {
  constructor(root, { icon, editable }) {
    this.root = root;
    this.icon = icon;
    this.editable = editable;
  }

  // `seen`: it stands in place of the map, and its buttons are stops of the keyboard.
  draw(cards, { selected, seen }) {
    this.cards = cards;
    this.all = cards.all();
    this.stop = seen ? null : "-1";
    this.selected = selected;
    const had = this.root.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    const { main, rest } = outline(cards.definition);
    const list = make("ol", { class: "journey-steps" }, this.row(TRIGGER), this.row(RULES));
    if (this.editable) list.append(this.place({ from: TRIGGER, way: "start" }, "Add the first step here"));
    list.append(...this.items(main));
    this.root.replaceChildren(list);
    if (rest.length) {
      const loose = rest.map((items) => make("li", {}, make("ol", { class: "journey-steps" }, ...this.items(items))));
      this.root.append(make("h3", {}, "Nothing leads here"), make("ul", { class: "journey-ways" }, ...loose));
    }
    if (had) this.root.querySelector(`[data-name="${CSS.escape(had)}"]`)?.focus({ preventScroll: true });
  }

  items(items) {
    return items.map((item) => {
      if (item.id) return this.row(item.id, item);
      if (item.goes) return this.goes(item);
      return make("li", { class: "journey-end" }, item.joins ? "Goes on below" : "The journey ends here");
    });
  }

  goes({ goes, back }) {
    const words = `${back ? "Back to" : "Goes on at"} ‘${this.cards.title(goes)}’`;
    return make("li", { class: "journey-end" }, make("button", { type: "button", class: "link", "data-goes": goes, tabindex: this.stop }, words));
  }

  row(id, item = {}) {
    const card = this.all.get(id);
    const open = make(
      "button",
      { type: "button", class: "journey-open", "data-step": id, "data-name": `open ${id}`, tabindex: this.stop, "aria-current": id === this.selected ? "true" : null },
      make("span", { class: `journey-icon ${card.tone}` }, this.icon(card.icon)),
      make("span", { class: "grow" }, make("strong", {}, card.title), make("span", { class: "soft" }, card.summary)),
    );
    const line = make("div", { class: "journey-item" }, open);
    if (this.editable && id !== TRIGGER && id !== RULES) {
      if (item.after) line.append(this.button("plus", `Add a step after ‘${card.title}’`, { "data-plus": key(item.after) }));
      line.append(this.button("more", `More for ‘${card.title}’`, { "data-more": id }));
    }
    const row = make("li", { class: "journey-li" }, line);
    if (card.numbers?.length) {
      const numbers = card.numbers.map(({ value, label, tone }) => make("li", { class: tone || null }, make("strong", {}, value), ` ${label}`));
      row.append(make("ul", { class: "journey-counts" }, ...numbers));
    }
    for (const { level, text } of this.cards.problems.get(id) || []) {
      const word = level === "error" ? "Problem: " : "Note: ";
      row.append(make("p", { class: `journey-problem ${level}` }, this.icon("warning"), make("span", {}, make("span", { class: "sr" }, word), text)));
    }
    if (item.ways?.length) row.append(make("ul", { class: "journey-ways" }, ...item.ways.map((way) => this.way(way))));
    return row;
  }

  way({ place, items }) {
    const label = this.cards.label(place);
    const head = make("div", { class: "journey-way" }, make("span", { class: "tag" }, label));
    if (this.editable) head.append(this.button("plus", `Add a step ${this.cards.place(place)}`, { "data-plus": key(place) }));
    return make("li", {}, head, make("ol", { class: "journey-steps" }, ...this.items(items)));
  }

  place(place, words) {
    return make("li", { class: "journey-add" }, this.button("plus", words, { "data-plus": key(place) }));
  }

  button(icon, words, data) {
    const name = `${icon} ${Object.values(data)[0]}`;
    return make("button", { type: "button", class: "button plain icon-only", "aria-label": words, title: words, "data-name": name, tabindex: this.stop, ...data }, this.icon(icon));
  }
}
