// The map itself: cards, ways and buttons as SVG. What is alike stays the same element, so the keyboard keeps its place.
import { CARD } from "./workflow-layout.js";
import { RULES, TRIGGER } from "./workflow-graph.js";

const SVG = "http://www.w3.org/2000/svg";
const TEXT_X = 58;
const TEXT_WIDTH = CARD.width - TEXT_X - 14;
const MORE = 24; // the dots beside a title

export function el(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

const context = document.createElement("canvas").getContext("2d");
const widths = new Map();

export function wide(text, font = "550 12.5px") {
  const name = `${font} ${text}`;
  if (!widths.has(name)) {
    context.font = `${font} ${getComputedStyle(document.body).fontFamily}`;
    widths.set(name, context.measureText(text).width);
  }
  return widths.get(name);
}

export function clip(text, width, font) {
  if (wide(text, font) <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (wide(`${text.slice(0, middle).trimEnd()}…`, font) <= width) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low).trimEnd()}…`;
}

// At most two lines.
function lines(text, width, font) {
  if (wide(text, font) <= width) return [text];
  const words = text.split(" ");
  let first = "";
  while (words.length && wide(`${first} ${words[0]}`.trim(), font) <= width) first = `${first} ${words.shift()}`.trim();
  return first ? [first, clip(words.join(" "), width, font)] : [clip(text, width, font)];
}

const icon = (path, x, y, size) =>
  el("svg", { x, y, width: size, height: size, viewBox: "0 0 24 24", class: "icon" }, el("path", { d: path }));

export class Drawing {
  // `icons`: paths by name; `editable`: with + buttons and handles.
  constructor(svg, { icons, editable }) {
    this.icons = icons;
    this.editable = editable;
    this.ways = el("g", { class: "ways", "aria-hidden": "true" });
    this.cards = el("g", { class: "cards" });
    this.marks = el("g", { class: "marks", "aria-hidden": "true" });
    this.world = el("g", { class: "world" }, this.ways, this.marks, this.cards);
    svg.append(
      el("defs", {}, el("marker", { id: "journey-arrow", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto", markerUnits: "userSpaceOnUse" }, el("path", { d: "M0 0L8 4L0 8z" }))),
      this.world,
    );
    this.made = new Map();
  }

  // `cards`: id → what stands on it; `plan`: from layout().
  draw(plan, cards) {
    const used = new Set();
    for (const [id, box] of plan.nodes) used.add(this.card(id, box, cards.get(id)));
    for (const way of plan.ways) this.way(way, used);
    for (const [name, { element }] of this.made) {
      if (used.has(name)) continue;
      element.remove();
      this.made.delete(name);
    }
    // In the order of reading, for whoever goes through the page element by element.
    let last = null;
    for (const id of plan.nodes.keys()) {
      const element = this.element(id);
      if (last && last.nextSibling !== element && !element.contains(document.activeElement)) last.after(element);
      last = element;
    }
  }

  element(id) {
    return this.made.get(`card ${id}`)?.element;
  }

  // What of a card takes the keyboard: it says everything the card shows.
  node(id, element = this.element(id)) {
    return element?.querySelector(".back");
  }

  // An element of that name, made anew only where what it shows has changed.
  keep(name, used, parent, shows, make) {
    used.add(name);
    const old = this.made.get(name);
    if (old?.shows === shows) return old.element;
    const element = old?.element || el("g");
    const parts = make(element);
    // One that stays is not taken out, or the keyboard would lose its place.
    for (const child of [...element.childNodes]) if (!parts.includes(child)) child.remove();
    for (const part of parts) if (part.parentNode !== element) element.append(part);
    if (!old) parent.append(element);
    this.made.set(name, { element, shows });
    return element;
  }

  card(id, box, card) {
    const name = `card ${id}`;
    const { aria, list, ...seen } = card;
    const shows = JSON.stringify([box.width, box.height, seen]);
    const element = this.keep(name, new Set(), this.cards, shows, (g) => {
      g.setAttribute("class", `card ${card.tone}${card.problem ? ` ${card.problem}` : ""}`);
      g.dataset.step = id;
      const back = g.querySelector(".back") || el("rect", { class: "back", role: "button", "aria-roledescription": "step", tabindex: -1, rx: 10 });
      back.setAttribute("width", box.width);
      back.setAttribute("height", box.height);
      return [back, ...this.inside(id, box, card)];
    });
    const back = this.node(id, element);
    if (back.getAttribute("aria-label") !== aria) back.setAttribute("aria-label", aria);
    element.style.transform = `translate(${box.x}px, ${box.y}px)`;
    return name;
  }

  inside(id, box, card) {
    const { width, height } = box;
    const parts = [el("title", {}, card.full)];
    if (card.kind === "end") {
      parts.push(icon(this.icons.stop, 14, 11, 18), text(40, 25, clip(card.title, width - 62, "600 13.5px"), "title"));
    } else if (id === RULES) {
      parts.push(icon(this.icons.compliance, 20, 17, 20), text(TEXT_X, 22, clip(card.title, TEXT_WIDTH, "600 13px"), "title small"), text(TEXT_X, 41, clip(card.summary, TEXT_WIDTH, "400 12.5px"), "summary"));
    } else {
      const told = lines(card.summary, TEXT_WIDTH, "400 12.5px");
      const top = told.length > 1 ? 26 : 34;
      parts.push(el("rect", { class: "tile", x: 13, y: 22, width: 34, height: 34, rx: 8 }), icon(this.icons[card.icon], 20, 29, 20));
      parts.push(text(TEXT_X, top, clip(card.title, TEXT_WIDTH - (id === TRIGGER || !this.editable ? 0 : MORE), "600 14px"), "title"), ...told.map((line, n) => text(TEXT_X, top + 19 + n * 16, line, "summary")));
    }
    if (card.problem) parts.push(this.flag(width, card));
    if (this.editable && id !== TRIGGER && id !== RULES) parts.push(this.more(width));
    if (card.numbers) parts.push(this.numbers(card.numbers, width, height));
    return parts;
  }

  flag(width, { problem, problems }) {
    const mark = el("g", { class: "flag", transform: `translate(${width - 12}, 0)` }, el("circle", { r: 10 }), icon(this.icons.warning, -7, -7.5, 14));
    mark.append(el("title", {}, problems));
    if (problem === "error") mark.classList.add("error");
    return mark;
  }

  more(width) {
    const dots = [0, 1, 2].map((n) => el("circle", { cx: width - 25 + n * 6, cy: 19, r: 1.6 }));
    return el("g", { class: "more", "data-more": "" }, el("rect", { x: width - 34, y: 7, width: 28, height: 24, rx: 6 }), ...dots);
  }

  numbers(numbers, width, height) {
    const y = height - 28;
    const strip = el("g", { class: "numbers", transform: `translate(0, ${y})` }, el("path", { class: "rule", d: `M0 0H${width}` }));
    let x = 12;
    for (const { value: whole, label, tone } of numbers) {
      const value = whole.replace("fewer than ", "<").replace("about ", "≈"); // of who is told no small counts
      const takes = wide(value, "600 12.5px") + wide(` ${label}`, "400 12.5px");
      if (x + takes > width - 8) break; // the rest is said by the card's title, and in the list
      strip.append(el("text", { x, y: 18, class: tone || "" }, el("tspan", { class: "n" }, value), ` ${label}`));
      x += takes + 14;
    }
    return strip;
  }

  way(way, used) {
    const line = this.keep(`line ${way.key}`, used, this.ways, `${way.path} ${way.end}`, () => [
      el("path", { d: way.path, "marker-end": way.to && !way.back ? "url(#journey-arrow)" : null }),
    ]);
    line.setAttribute("class", "line");
    line.dataset.way = way.key;
    if (way.stub) this.stub(way, used);
    if (way.label) {
      const chip = this.keep(`chip ${way.key}`, used, this.marks, `${way.chip} ${way.label.width}`, () => {
        const width = way.label.width - 8;
        return [el("title", {}, way.chip), el("rect", { x: -width / 2, y: -13, width, height: 26, rx: 13 }), text(0, 4.5, way.chip, "")];
      });
      chip.setAttribute("class", "chip");
      chip.style.transform = `translate(${way.label.x}px, ${way.label.y}px)`;
    }
    if (!this.editable) return;
    const plus = this.keep(`plus ${way.key}`, used, this.marks, "+", () => [
      el("title", {}, "Add a step here; drag onto a step to lead there"),
      el("circle", { class: "reach", r: 18 }),
      el("circle", { class: "dot", r: 10.5 }),
      el("path", { d: "M-4.5 0H4.5M0 -4.5V4.5" }),
    ]);
    plus.setAttribute("class", "plus");
    plus.dataset.plus = way.key;
    plus.style.transform = `translate(${way.plus.x}px, ${way.plus.y}px)`;
  }

  stub(way, used) {
    const { x, y, width, height } = way.stub;
    const shows = way.back ? `${way.backTo} ${width}` : "end";
    const stub = this.keep(`stub ${way.key}`, used, this.marks, shows, () =>
      way.back
        ? [el("rect", { x: -width / 2, y: -height / 2, width, height, rx: 8 }), icon(this.icons.undo, -width / 2 + 9, -8, 16), text(-width / 2 + 30, 4.5, way.backTo, "")]
        : [el("title", {}, "The journey ends here"), el("circle", { r: 6 }), el("circle", { class: "inner", r: 2.5 })],
    );
    stub.setAttribute("class", way.back ? "stub back" : "stub");
    if (way.back) stub.dataset.goes = way.to;
    stub.style.transform = `translate(${x}px, ${y}px)`;
  }
}

function text(x, y, words, kind) {
  return el("text", { x, y, class: kind }, words);
}
