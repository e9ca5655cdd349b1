// The rule builder. Every step posts the whole form, one after the other; its answer is laid over the tree without
// replacing what stays, so the keyboard, a half-typed word and an open list are never taken away. Only what a person
// has not touched since the step was sent is filled in from the answer. Counts follow in a lane of their own, where the
// newest question wins. What is built is kept on the server (keeper.js); nothing is kept in the browser beyond the page.
import Sortable from "../vendor/sortable/sortable.esm.js";
import { toast } from "./toasts.js";
import { Keeper } from "./keeper.js";
import { morph, strip } from "./morph.js";
import { check, look } from "./session.js";

const COUNT_AFTER_MS = 120;
const FIND_AFTER_MS = 80;
const PAUSE_AFTER_MS = 600;
const PAST = 50;

// Brings the builder in this form to life. A form that lies inside another page (no `data-keep`) hears "rule:changed"
// whenever something else stands in it, once nothing is on its way any more.
export function build(form) {
  const tree = form.querySelector("#tree");
  const at = (what) => form.dataset[what];
  const say = (text) => (document.getElementById("announcer").textContent = text);

  const waiting = [];
  const past = [];
  const touched = new Set();
  let running = false;
  let dragging = null;
  const keeper = "keep" in form.dataset ? new Keeper(form, entries) : null;

  // What stands in the form, its nodes in the order of their places: a node dragged elsewhere is still called as before.
  function entries() {
    const data = new URLSearchParams(new FormData(form));
    const places = (node) => node.split(":")[0].split("-").slice(1).map(Number);
    const nodes = data.getAll("node").sort((a, b) => {
      const [x, y] = [places(a), places(b)];
      const differ = x.findIndex((place, n) => place !== y[n]);
      return differ < 0 ? x.length - y.length : differ >= y.length ? 1 : x[differ] - y[differ];
    });
    data.delete("node");
    for (const node of nodes) data.append("node", node);
    return data;
  }

  function draft() {
    const data = entries();
    for (const name of [...data.keys()]) if (name !== "node" && !/^r[-.]/.test(name)) data.delete(name);
    return data.toString();
  }
  let now = draft();

  // One line of the past for each thing done; returns whether there was one.
  function commit() {
    const then = now;
    now = draft();
    if (then === now) return;
    past.push(then);
    if (past.length > PAST) past.shift();
    changed();
  }

  function changed() {
    keeper?.soon();
    const undo = form.querySelector("[data-undo]");
    if (undo) undo.disabled = !past.length;
  }

  async function ask(where, data, signal, again = false) {
    try {
      const answer = await fetch(where, { method: "POST", body: data, headers: { "HX-Request": "true" }, signal });
      if (answer.ok) return form.isConnected ? await answer.text() : null;
      if (answer.status === 403 && !again && (await look()) === "alive") {
        data.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
        return await ask(where, data, signal, true);
      }
      keeper?.doubt();
      if ([401, 403].includes(answer.status) && (await check()) !== "alive") return null;
      toast("The server could not answer. What you typed is still here; try again in a moment.");
    } catch (error) {
      if (error.name === "AbortError") return null;
      keeper?.doubt();
      toast("No connection. What you typed is still here; try again.");
    }
    return null;
  }

  function parts(html) {
    const page = document.createElement("template");
    page.innerHTML = html;
    return page.content.querySelectorAll("[data-into]");
  }

  function place(html) {
    for (const part of parts(html)) {
      const target = document.getElementById(part.dataset.into);
      if (target && target.innerHTML !== part.innerHTML) target.replaceChildren(...part.childNodes);
    }
  }

  // Steps

  // `body`: a draft of the past to go back to; `back`: what to do where the server does not answer.
  function step(what, { body, back } = {}) {
    const last = waiting.at(-1);
    if (what === "look" && !body && last?.what === "look" && !last.body) return;
    if (what !== "look") commit();
    waiting.push({ what, body, back });
    run();
  }

  async function run() {
    if (running) return;
    running = true;
    tree.setAttribute("aria-busy", "true");
    while (waiting.length) {
      const { what, body, back } = waiting.shift();
      const moves = what !== "look";
      touched.clear();
      const data = body ? new URLSearchParams(body) : entries();
      data.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
      data.set("do", what);
      const html = await ask(at("step"), data);
      if (dragging) await dragging;
      if (html === null) {
        waiting.length = 0;
        back?.();
        break;
      }
      if (moves && touched.size) {
        // Somebody typed meanwhile: a step that moves things is done again with what they typed.
        waiting.unshift({ what, body, back });
        continue;
      }
      lay(html, body ? new Set() : touched, moves || Boolean(body));
      if (moves) commit();
      now = draft();
    }
    running = false;
    tree.removeAttribute("aria-busy");
    changed();
    count();
  }

  function lay(html, keep, anew) {
    for (const part of parts(html)) {
      if (part.dataset.into !== "tree") {
        document.getElementById(part.dataset.into).textContent = part.textContent;
        continue;
      }
      // Or to what took the keyboard's place, where the field it was in became another one.
      const next = part.querySelector("[autofocus]");
      next?.removeAttribute("autofocus");
      const focus = next?.id || (tree.contains(document.activeElement) && document.activeElement.id);
      strip(part);
      morph(tree, part, (field) => keep.has(field.name), (live) => !anew && "live" in live.dataset);
      if (focus && document.activeElement.id !== focus) document.getElementById(focus)?.focus();
    }
    sortable();
  }

  function undo() {
    commit();
    const body = past.pop();
    if (body === undefined) return say("There is nothing to undo.");
    now = body;
    step("look", { body });
    say("Undone.");
  }

  // Counts

  let questions = 0;
  let counting = null;
  let soon = 0;
  let pausing = 0;

  function countSoon() {
    clearTimeout(soon);
    soon = setTimeout(count, COUNT_AFTER_MS);
  }

  async function count(more) {
    clearTimeout(soon);
    clearTimeout(pausing);
    if (running || waiting.length) return;
    tell();
    counting?.abort();
    counting = new AbortController();
    const mine = ++questions;
    const data = entries();
    for (const [name, value] of Object.entries(more || {})) data.set(name, value);
    const html = await ask(at("preview"), data, counting.signal);
    if (html === null || mine !== questions) return;
    place(html);
    pausing = setTimeout(pause, PAUSE_AFTER_MS, mine);
  }

  let told = draft();

  function tell() {
    if (told === (told = draft())) return;
    form.dispatchEvent(new CustomEvent("rule:changed", { bubbles: true }));
  }

  // Whoever stops for a moment sees a few people.
  async function pause(mine) {
    const html = await ask(at("pause"), entries());
    if (html !== null && mine === questions) place(html);
  }

  // Pickers

  let looking = 0;
  let finding = 0;

  function findSoon(field, after) {
    clearTimeout(looking);
    looking = setTimeout(find, after, field);
  }

  async function find(field) {
    const mine = ++finding;
    const data = entries();
    data.set("clause", field.dataset.find);
    const html = await ask(at("offers"), data);
    // Who has gone on into the list keeps the one they see.
    if (html !== null && mine === finding && !document.activeElement.matches(".rule-offer")) place(html);
  }

  function throughOffers(event) {
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const clause = event.target.closest("[data-node]");
    if (!way || !clause) return;
    const all = [clause.querySelector("[data-find]"), ...clause.querySelectorAll(".rule-offer")];
    const next = all[all.indexOf(event.target) + way];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  // Dragging

  const sorted = new WeakSet();

  function sortable() {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    for (const list of tree.querySelectorAll(".rule-items")) {
      if (sorted.has(list)) continue;
      sorted.add(list);
      Sortable.create(list, {
        group: "rule",
        handle: ".rule-handle",
        draggable: "li",
        animation: still ? 0 : 120,
        forceFallback: true,
        fallbackOnBody: true,
        fallbackTolerance: 4,
        swapThreshold: 0.65,
        invertSwap: true,
        emptyInsertThreshold: 12,
        onStart() {
          let done;
          dragging = new Promise((resolve) => (done = resolve));
          dragging.done = done;
        },
        onEnd({ item, from, to, oldDraggableIndex, newDraggableIndex }) {
          dragging.done();
          dragging = null;
          if (from === to && oldDraggableIndex === newDraggableIndex) return;
          const name = item.querySelector("[data-node]").dataset.node;
          step(`move:${name}:${to.dataset.group}:${newDraggableIndex}`, { back: () => from.insertBefore(item, from.children[oldDraggableIndex + (from === to && oldDraggableIndex > newDraggableIndex ? 1 : 0)] ?? null) });
        },
      });
    }
  }

  // Keys, clicks, typing

  const KEYS = { ArrowUp: "up", ArrowDown: "down", ArrowRight: "into", ArrowLeft: "out", Delete: "remove" };

  function key(event) {
    if (event.key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey) {
      if (event.target.matches("input:not([type=checkbox]), textarea")) return;
      event.preventDefault();
      undo();
    } else if (event.target.matches(".rule-handle") && KEYS[event.key]) {
      event.preventDefault();
      step(`${KEYS[event.key]}:${event.target.value}`);
    } else if (event.target.matches("[data-find]:not(textarea), .rule-offer")) throughOffers(event);
  }

  function click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.do) step(button.dataset.do);
    else if ("undo" in button.dataset) undo();
    else if (button.dataset.count) count({ count: button.dataset.count });
  }

  function changes(event) {
    if (!event.target.name) return;
    touched.add(event.target.name);
    commit();
    if ("look" in event.target.dataset) step("look");
    else countSoon();
  }

  strip(tree);
  sortable();
  form.addEventListener("keydown", key);
  form.addEventListener("click", click);
  form.addEventListener("change", changes);
  form.addEventListener("input", (event) => {
    if (!event.target.name) return;
    touched.add(event.target.name);
    changed();
    if ("find" in event.target.dataset) findSoon(event.target, FIND_AFTER_MS);
    if (!("look" in event.target.dataset)) countSoon();
  });
  document.addEventListener("session:back", () => form.isConnected && count());
  form.addEventListener("focusin", (event) => {
    if ("find" in event.target.dataset) findSoon(event.target, 0);
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter?.matches("[data-save], [data-discard]")) return keeper?.leave(event);
    event.preventDefault(); // Enter in a field looks again; it neither saves nor moves anything.
    event.stopImmediatePropagation();
    step("look");
  });
  changed();
  count();
}

const found = document.getElementById("rule-form");
if (found) build(found);
