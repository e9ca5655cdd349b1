// The mouse (or a finger) on the map: choose, drag steps and new ones to a plus, drag a plus onto a step, pan.
import { RULES, TRIGGER, key, places, target } from "./workflow-graph.js";
import { el } from "./workflow-draw.js";
import { placesFor } from "./workflow-edits.js";

const STARTS_AFTER = 5; // pixels: less is a click
const REACH = 90; // pixels around a plus
const EDGE = 24;
const EDGE_SPEED = 12;

export class Pointer {
  constructor(journey) {
    this.journey = journey;
    const { svg } = journey;
    svg.addEventListener("pointerdown", (event) => this.down(event));
    svg.addEventListener("contextmenu", (event) => this.context(event));
    svg.addEventListener("dblclick", (event) => event.preventDefault());
    for (const button of document.querySelectorAll("[data-kind]")) {
      button.addEventListener("pointerdown", (event) => this.fromPalette(event, button));
    }
    this.touches = new Map();
  }

  at(event) {
    const { svg, editable } = this.journey;
    const hit = event.target.closest?.("[data-more], [data-plus], [data-goes], [data-step]");
    if (!hit || !svg.contains(hit)) return {};
    if ("more" in hit.dataset) return { more: hit.closest("[data-step]").dataset.step };
    if (hit.dataset.plus && editable) return { plus: this.journey.place(hit.dataset.plus) };
    if (hit.dataset.goes) return { goes: hit.dataset.goes };
    return { step: hit.dataset.step };
  }

  down(event) {
    if (event.button !== 0) return;
    this.touches.set(event.pointerId, event);
    if (this.touches.size === 2) return this.pinch();
    const hit = this.at(event);
    const { journey } = this;
    const movable = journey.editable && hit.step && hit.step !== TRIGGER && hit.step !== RULES;
    if (!hit.step && !hit.plus && !hit.more && !hit.goes) event.preventDefault();
    this.track(event, {
      click: () => this.click(hit, event),
      start: () => {
        if (movable) return this.carry({ title: journey.cards.title(hit.step), icon: journey.card(hit.step).icon, step: hit.step });
        if (hit.plus) return this.draw(hit.plus);
        return this.pan(event);
      },
    });
  }

  click(hit, event) {
    const { journey } = this;
    const at = { x: event.clientX + 6, y: event.clientY + 6 };
    if (hit.more) journey.actions.menu(hit.more, at);
    else if (hit.plus) journey.actions.addAt(hit.plus, at);
    else if (hit.goes) journey.select(hit.goes, { focus: true, panel: true });
    else if (hit.step) journey.select(hit.step, { focus: true, panel: true });
    else journey.select(null);
  }

  context(event) {
    const { step } = this.at(event);
    if (!step || !this.journey.editable) return;
    event.preventDefault();
    this.journey.select(step, { focus: true });
    this.journey.actions.menu(step, { x: event.clientX, y: event.clientY });
  }

  fromPalette(event, button) {
    if (event.button !== 0) return;
    const kind = this.journey.cards.kinds.get(button.dataset.kind);
    this.track(event, { start: () => this.carry({ title: kind.label, icon: kind.icon, kind }) });
  }

  // Follow one pointer from where it went down; `start` gives {move, end, cancel} once it really moves.
  track(event, { click, start }) {
    let dragging = null;
    const moved = (now) => {
      if (now.pointerId !== event.pointerId || this.touches.size > 1) return;
      if (!dragging && Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) > STARTS_AFTER) {
        dragging = start();
      }
      dragging?.move(now);
    };
    const finish = (now, how) => {
      if (now.pointerId !== undefined && now.pointerId !== event.pointerId) return;
      this.touches.delete(event.pointerId);
      for (const [name, listener] of listeners) removeEventListener(name, listener, true);
      if (dragging) dragging[how](now);
      else if (how === "end") click?.();
    };
    const listeners = [
      ["pointermove", moved],
      ["pointerup", (now) => finish(now, "end")],
      ["pointercancel", (now) => finish(now, "cancel")],
      ["keydown", (now) => now.key === "Escape" && dragging && (now.stopPropagation(), finish(now, "cancel"))],
    ];
    for (const [name, listener] of listeners) addEventListener(name, listener, true);
  }

  pan(event) {
    let last = event;
    const { svg, view } = this.journey;
    svg.classList.add("panning");
    const stop = () => svg.classList.remove("panning");
    return {
      move: (now) => {
        view.pan(now.clientX - last.clientX, now.clientY - last.clientY);
        last = now;
      },
      end: stop,
      cancel: stop,
    };
  }

  pinch() {
    const spread = () => {
      const [a, b] = [...this.touches.values()];
      return { far: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2 };
    };
    let last = spread();
    const moved = (event) => {
      if (!this.touches.has(event.pointerId)) return;
      this.touches.set(event.pointerId, event);
      if (this.touches.size < 2) return;
      const now = spread();
      this.journey.view.pan(now.x - last.x, now.y - last.y);
      this.journey.view.zoom(now.far / last.far, now.x, now.y);
      last = now;
    };
    const done = (event) => {
      this.touches.delete(event.pointerId);
      if (this.touches.size) return;
      removeEventListener("pointermove", moved, true);
      removeEventListener("pointerup", done, true);
      removeEventListener("pointercancel", done, true);
    };
    addEventListener("pointermove", moved, true);
    addEventListener("pointerup", done, true);
    addEventListener("pointercancel", done, true);
  }

  // A step, or a new one, on its way to a plus.
  carry({ title, icon, step, kind }) {
    const { journey } = this;
    const ghost = document.createElement("div");
    ghost.className = "journey-ghost";
    ghost.append(journey.icon(icon), title);
    document.body.append(ghost);
    const { definition } = journey.draft;
    const open = step ? placesFor(definition, step) : places(definition);
    journey.root.classList.add("carrying");
    journey.dim(step);
    journey.offer(open);
    let over = null;
    const done = () => {
      ghost.remove();
      this.drift(null);
      journey.root.classList.remove("carrying");
      journey.dim(null);
      journey.offer(null);
      journey.unlook();
    };
    const aim = (now) => {
      over = this.nearest(now, open);
      if (over) journey.mark(over);
      else journey.unlook();
    };
    return {
      move: (now) => {
        ghost.style.transform = `translate(${now.clientX + 20}px, ${now.clientY + 22}px)`;
        aim(now);
        this.drift(now, aim);
      },
      end: () => {
        done();
        if (!over) return;
        if (step) journey.actions.move(step, over);
        else journey.actions.add(over, kind);
      },
      cancel: done,
    };
  }

  nearest(event, open) {
    const { svg, view, plan } = this.journey;
    const box = svg.getBoundingClientRect();
    if (event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom) return null;
    const allowed = new Set(open.map(key));
    let best = null;
    let least = REACH;
    for (const way of plan.ways) {
      if (!allowed.has(way.key)) continue;
      const { x, y } = view.outside(way.plus.x, way.plus.y);
      const far = Math.hypot(x - event.clientX, y - event.clientY);
      if (far < least) [best, least] = [way.place, far];
    }
    return best;
  }

  // A way out on its way to a step there is.
  draw(place) {
    const { journey } = this;
    const way = journey.plan.ways.find((one) => one.key === key(place));
    const line = el("path", { class: "pulled" });
    journey.drawing.world.append(line);
    journey.root.classList.add("carrying");
    let over = null;
    const done = () => {
      line.remove();
      this.drift(null);
      journey.root.classList.remove("carrying");
      journey.unlook();
    };
    const aim = (now) => {
      const { x, y } = journey.view.inside(now.clientX, now.clientY);
      const half = (y - way.plus.y) / 2;
      line.setAttribute("d", `M${way.plus.x} ${way.plus.y}C${way.plus.x} ${way.plus.y + half} ${x} ${y - half} ${x} ${y}`);
      const id = document.elementFromPoint(now.clientX, now.clientY)?.closest?.("[data-step]")?.dataset.step;
      over = journey.actions.isStep(id) && id !== place.from && target(journey.draft.definition, place) !== id ? id : null;
      if (over) journey.markStep(over);
      else journey.unlook();
    };
    return {
      move: (now) => {
        aim(now);
        this.drift(now, aim);
      },
      end: () => {
        done();
        if (over) journey.actions.connect(place, over);
      },
      cancel: done,
    };
  }

  // At the border of the map it comes along.
  drift(event, aim) {
    cancelAnimationFrame(this.frame);
    if (!event) return;
    const { left, right, top, bottom } = this.journey.svg.getBoundingClientRect();
    if (event.clientX < left || event.clientX > right || event.clientY < top - EDGE || event.clientY > bottom + EDGE) return;
    const dx = event.clientX < left + EDGE ? EDGE_SPEED : event.clientX > right - EDGE ? -EDGE_SPEED : 0;
    const dy = event.clientY < top + EDGE ? EDGE_SPEED : event.clientY > bottom - EDGE ? -EDGE_SPEED : 0;
    if (!dx && !dy) return;
    this.journey.view.pan(dx, dy);
    aim(event);
    this.frame = requestAnimationFrame(() => this.drift(event, aim));
  }
}
