// What stands in a form is kept on the server a moment after it changed, one after the other, for whoever builds it alone.
// Its answer is the line that says so, and the mark by which the next one is known to come from this page.
import { toast } from "./toasts.js";
import { check, look } from "./session.js";

const KEEP_AFTER_MS = 800;
const AGAIN_AFTER_MS = 10_000;
const KEEPALIVE_BYTES = 60_000; // browsers refuse more once the page is gone
const NOT_BUILT = ["csrfmiddlewaretoken", "do", "mark"];

export class Keeper {
  // `read`: what stands in the form.
  constructor(form, read) {
    Object.assign(this, { form, read, line: form.querySelector("#kept"), state: "kept", leaving: false, timer: 0, going: null });
    this.kept = this.now();
    addEventListener("beforeunload", (event) => this.atRisk() && event.preventDefault());
    for (const kind of ["visibilitychange", "pagehide"]) addEventListener(kind, () => this.state === "kept" && document.hidden && this.keep());
    document.addEventListener("session:back", () => this.soon(0));
    form.addEventListener("click", (event) => this.click(event));
  }

  now() {
    const data = this.read();
    for (const name of NOT_BUILT) data.delete(name);
    return data.toString();
  }

  // What has not been sent yet is sent with the page's last breath; what was refused, or is too much, is a reason to stay.
  atRisk() {
    if (this.leaving || this.now() === this.kept) return false;
    const sent = this.state === "kept" && navigator.onLine && this.now().length < KEEPALIVE_BYTES;
    if (sent) this.keep();
    return !sent;
  }

  soon(after = KEEP_AFTER_MS) {
    clearTimeout(this.timer);
    if (this.now() !== this.kept && this.state !== "refused") this.timer = setTimeout(() => this.keep(), after);
  }

  // Resolves to whether the server has what stands in the form.
  keep() {
    clearTimeout(this.timer);
    this.going ??= this.post().finally(() => (this.going = null));
    return this.going;
  }

  async post() {
    for (let body = this.now(), again = false; body !== this.kept; body = this.now()) {
      const data = this.read();
      let answer;
      try {
        answer = await fetch(this.form.dataset.keep, {
          method: "POST",
          body: data,
          keepalive: body.length < KEEPALIVE_BYTES,
          headers: { "HX-Request": "true" },
        });
      } catch {
        return this.failed("No connection: not kept. It is tried again by itself; keep this page open.", true);
      }
      if (answer.status === 403 && !again && (await look()) === "alive") {
        again = true;
        continue;
      }
      if ([401, 403].includes(answer.status) && (await check()) !== "alive") return this.failed("Not kept: you are signed out.");
      if (!answer.ok && answer.status !== 409)
        return this.failed("Not kept: the server could not answer. What you typed is still here; try again in a moment.");
      this.line.innerHTML = await answer.text();
      if (!answer.ok) {
        this.state = "refused";
        return false;
      }
      this.mark = this.line.querySelector("[data-mark]").dataset.mark;
      this.kept = body;
      this.state = "kept";
      for (const button of this.form.querySelectorAll("[data-discard]")) button.hidden = false;
    }
    return true;
  }

  set mark(mark) {
    this.form.elements.mark.value = mark;
  }

  // Something else did not get through: no last breath is relied on.
  doubt() {
    if (this.state === "kept") this.state = "failed";
  }

  failed(text, again = false) {
    if (this.state !== "failed") toast(text);
    this.state = "failed";
    this.line.textContent = text;
    if (again) this.soon(AGAIN_AFTER_MS);
    return false;
  }

  click({ target }) {
    if (target.closest("[data-leave]")) this.leaving = true;
    if (!target.closest("[data-keep-mine]")) return;
    this.mark = this.line.querySelector("[data-mark]").dataset.mark;
    this.state = "kept";
    this.keep();
    this.form.querySelector("[data-save]").focus();
  }

  // Saving and discarding end what is kept: what is on its way comes first, and where nothing gets through, nobody leaves.
  leave(event) {
    if (this.leaving) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    clearTimeout(this.timer); // what is discarded is not kept once more on the way
    const { submitter } = event;
    const kept = "discard" in submitter.dataset ? Promise.resolve(this.going) : this.keep();
    kept.then((done) => {
      if (done === false && this.state === "failed") return;
      this.leaving = true;
      setTimeout(() => this.form.requestSubmit(submitter)); // never from within the event that was stopped
    });
  }
}
