// What happens to what somebody typed when their session ends: it stays on the page, covered, until they signed in again
// in another tab. Nothing of it goes into the browser's storage. Who is typing keeps the session alive: they are there.
import { toast } from "./toasts.js";

const GONE_AFTER_MS = 60 * 60 * 1000; // then nobody comes back to it, and the page goes
const LOOK_EVERY_MS = 4000;
const ASK_AFTER_MS = 60 * 1000;

const where = document.body.dataset.session; // of pages of somebody who is signed in
const idleLimitMs = Number(document.body.dataset.idleMinutes || 0) * 60 * 1000;
const cover = document.getElementById("signed-out");
const refused = new Map();
const again = new Set();
let known = Date.now(); // when the server last said that the session lives
let typed = false;
let going = 0;
let gone = false;

// What the server says of the session: "alive", "over", "other" (somebody else signed in here since), or "" (no answer).
// `there`: somebody does something, which keeps it alive; else the page asks by itself.
export async function look({ there = false } = {}) {
  if (!where) return "alive";
  try {
    const answer = await fetch(where, { headers: { "HX-Request": "true", ...(!there && { "X-Poll": "1" }) } });
    if (answer.status === 401) return "over";
    if (!answer.ok) return "";
    const { person, token } = await answer.json();
    if (person !== document.body.dataset.person) return "other";
    renew(token);
    known = Date.now();
    return "alive";
  } catch {
    return "";
  }
}

// Who signed in again meanwhile has another token against forgery than the one this page came with.
function renew(token) {
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
  for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = token;
}

// The session is over: a page on which nothing was typed goes; another one is covered, and what it showed of people goes.
export function over(state = "over") {
  if (!typed || !cover) return location.reload();
  for (const part of cover.querySelectorAll("[data-state]")) part.hidden = part.dataset.state !== state;
  if (cover.open) return;
  for (const value of document.querySelectorAll("[data-phi]")) value.replaceChildren();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  document.documentElement.classList.add("signed-out");
  cover.showModal();
  going = setTimeout(() => {
    gone = true;
    location.reload();
  }, GONE_AFTER_MS);
}

// Whoever builds something is asked before they leave it: after an hour there is nobody to ask. Told before all others.
addEventListener("beforeunload", (event) => gone && event.stopImmediatePropagation());

export const isTyped = () => typed;

export async function check(options) {
  if (cover?.open) return "over";
  const state = await look(options);
  if (state === "over" || state === "other") over(state);
  return state;
}

async function back() {
  if (!cover?.open || document.hidden) return;
  const state = await look();
  if (state === "other") return over(state);
  if (state !== "alive") return;
  document.documentElement.classList.remove("signed-out");
  clearTimeout(going);
  cover.close();
  toast("You are signed in again. What you typed is still here: save it now.");
  send();
  document.dispatchEvent(new Event("session:back"));
}

if (cover) {
  // Escape does not uncover it.
  cover.addEventListener("close", () => document.documentElement.classList.contains("signed-out") && cover.showModal());
  addEventListener("focus", back);
  document.addEventListener("visibilitychange", back);
  setInterval(back, LOOK_EVERY_MS);
}

// Who signed out elsewhere, or comes back by the browser's own way back, does not find what they left.
document.addEventListener("visibilitychange", () => document.hidden || check());

document.addEventListener("input", ({ target: { form } }) => {
  if (!form || !(form.hasAttribute("hx-post") || posts(form))) return;
  typed = true;
  if (Date.now() - known < idleLimitMs / 5) return;
  known = Date.now();
  check({ there: true });
});

// By its attribute: a field of the form may be called "method".
export const posts = (form) => form.getAttribute("method")?.toLowerCase() === "post";

// Whether a form may go out: the answer to it replaces the page, so it is asked first where much can have happened.
export async function mayGo() {
  if (Date.now() - known < ASK_AFTER_MS) return true;
  const state = await check({ there: true });
  if (!state) toast("No connection. What you typed is still here; try again.");
  return state === "alive";
}
export const isLongAgo = () => Boolean(where) && Date.now() - known >= ASK_AFTER_MS;

// A form that keeps itself: what was not kept is sent again, once the session is back.
function later({ elt, requestConfig }) {
  const kind = requestConfig.triggeringEvent?.type;
  if (elt.matches("form") && ["input", "change", "rule:changed"].includes(kind)) refused.set(elt, kind);
}

function send() {
  const all = [...refused];
  refused.clear();
  for (const [form, kind] of all) if (form.isConnected) form.dispatchEvent(new Event(kind, { bubbles: true }));
}

// Refused, perhaps for its token only: with that of who signed in again it is sent once more. Whether somebody was told.
export async function wasRenewed(detail) {
  const { elt } = detail;
  if (!again.delete(elt)) later(detail);
  if ((await check()) !== "alive") return true;
  if (!refused.has(elt)) return false;
  again.add(elt);
  send();
  return true;
}

document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { xhr } = event.detail;
  // To the second factor, asked for again before a grave act, it goes as before.
  if (xhr.status !== 401 || xhr.getResponseHeader("HX-Redirect") !== cover?.querySelector("a").pathname) return;
  event.preventDefault();
  later(event.detail);
  over();
});
