// The draft in the page and on the server. Every change is posted at once, one after the other; what is on the screen
// never waits for an answer. Undoing is posting an earlier definition. Nothing is kept in the browser beyond the page.
import { merge, same } from "./workflow-edits.js";

const PAST = 100;
const AGAIN_AFTER_MS = 5000;
const KEEPALIVE_BYTES = 60_000; // browsers refuse more once the page is gone

export class Draft extends EventTarget {
  constructor(url) {
    super();
    this.url = url;
    this.past = [];
    this.future = [];
    this.state = "loading";
    this.message = "";
    this.unsaved = false;
    this.posting = null;
  }

  async load() {
    const answer = await ask(this.url);
    if (!answer.ok) return this.became("failed", answer.message);
    this.take(answer.data);
    this.definition = answer.data.definition;
    this.became("saved");
    this.tell("drawn");
    return true;
  }

  // One thing somebody did, in words: what undoing it will be called.
  change(definition, what) {
    if (same(definition, this.definition)) return;
    this.past.push({ definition: this.definition, what });
    if (this.past.length > PAST) this.past.shift();
    this.future = [];
    this.show(definition);
  }

  undo() {
    return this.back(this.past, this.future);
  }

  redo() {
    return this.back(this.future, this.past);
  }

  back(from, to) {
    const entry = from.pop();
    if (!entry) return null;
    to.push({ definition: this.definition, what: entry.what });
    this.show(entry.definition);
    return entry.what;
  }

  show(definition) {
    this.definition = definition;
    this.unsaved = true;
    this.tell("drawn");
    this.save();
  }

  // Whether leaving now would lose something: what is on its way goes on without the page.
  get atRisk() {
    const leaves = this.state === "saving" && this.sent === this.definition && small(JSON.stringify(this.sent));
    return this.unsaved && !leaves;
  }

  // Resolves once the server has what is on the screen: true if it took it.
  save() {
    this.posting ??= this.post().finally(() => (this.posting = null));
    return this.posting;
  }

  async post() {
    while (this.unsaved) {
      this.became("saving");
      const sent = (this.sent = this.definition);
      const answer = await ask(this.url, { revision: this.revision, definition: sent });
      if (answer.ok) {
        this.take(answer.data);
        this.unsaved = !same(this.definition, sent);
        if (!this.unsaved) this.definition = answer.data.definition;
        this.tell("named");
      } else if (answer.status === 409 && answer.data) {
        if (!this.reconcile(answer.data)) return false;
      } else {
        this.became("failed", answer.message);
        if (!answer.status) setTimeout(() => this.unsaved && this.save(), AGAIN_AFTER_MS);
        return false;
      }
    }
    this.became("saved");
    return true;
  }

  // Somebody else, or a panel, saved meanwhile: both changes in one, or a person decides.
  reconcile(data) {
    const both = data.code === "changed_meanwhile" && merge(this.base, this.definition, data.definition);
    if (!both) {
      this.theirs = data;
      this.became("conflict", data.message);
      return false;
    }
    this.take(data);
    this.definition = both;
    this.unsaved = !same(both, data.definition);
    this.tell("drawn");
    this.tell("merged");
    return true;
  }

  // Whose version stands; the other one is one step of undoing away.
  decide(mine) {
    const data = this.theirs;
    this.theirs = null;
    this.take(data);
    this.past.push({ definition: mine ? data.definition : this.definition, what: "the choice between two versions" });
    this.future = [];
    if (mine) return this.show(this.definition);
    this.definition = data.definition;
    this.unsaved = false;
    this.became("saved");
    this.tell("drawn");
  }

  // A panel saved a step: fetch what stands now; undoing takes it back.
  async reload(what) {
    const answer = await ask(this.url);
    if (!answer.ok) return this.became("failed", answer.message);
    const both = this.unsaved ? merge(this.base, this.definition, answer.data.definition) : answer.data.definition;
    if (!both) return; // the save under way meets it, and asks
    if (!same(both, this.definition)) {
      this.past.push({ definition: this.definition, what });
      this.future = [];
    }
    this.take(answer.data);
    this.definition = both;
    this.unsaved = !same(both, answer.data.definition);
    this.tell("drawn");
    if (this.unsaved) this.save();
  }

  take(data) {
    this.revision = data.revision;
    this.base = data.definition;
    this.titles = data.titles;
    this.problems = data.problems;
    this.trigger = data.trigger;
    this.rules = data.rules;
  }

  became(state, message = "") {
    this.state = state;
    this.message = message;
    this.tell("state");
  }

  tell(what) {
    this.dispatchEvent(new Event(what));
  }
}

const small = (text) => new Blob([text]).size < KEEPALIVE_BYTES;
const headers = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}");

// `poll`: the page asks by itself, which keeps no session alive.
export async function ask(url, body, { again = false, poll = false } = {}) {
  const text = body && JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(url, {
      method: body ? "POST" : "GET",
      body: text,
      keepalive: Boolean(text) && small(text),
      headers: { ...headers(), "HX-Request": "true", ...(poll && { "X-Poll": "1" }), ...(body && { "Content-Type": "application/json" }) },
    });
  } catch {
    return { ok: false, status: 0, message: "no connection. It is tried again by itself; keep this page open." };
  }
  if (answer.status === 403 && body && !again && (await renew())) return await ask(url, body, { again: true });
  const json = (answer.headers.get("Content-Type") || "").startsWith("application/json");
  const data = json ? await answer.json() : null;
  // What says nothing is left out of JSON: here there are always steps, if none.
  if (data?.definition) data.definition = { start: null, steps: {}, ...data.definition };
  if (answer.ok && data) return { ok: true, status: answer.status, data };
  const signedOut = [401, 403].includes(answer.status);
  const message = signedOut
    ? "you are signed out. Sign in in another tab, then change anything here: all of it is still there."
    : data?.message || "the server could not answer. What you drew is still here; try again in a moment.";
  return { ok: false, status: answer.status, data, message };
}

// Who signed in again meanwhile has another token against forgery than the one this page came with.
async function renew() {
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const fresh = page.body.getAttribute("hx-headers");
  if (!fresh || fresh === document.body.getAttribute("hx-headers")) return false;
  document.body.setAttribute("hx-headers", fresh);
  return true;
}
