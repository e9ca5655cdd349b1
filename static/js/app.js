// What every page shares: menus, dialogs, toasts, the rail on a phone, and blanking of PHI while nobody is there.
import { check, isLongAgo, isTyped, mayGo, posts, wasRenewed } from "./session.js";
import { toast } from "./toasts.js";

const BLANK_AFTER_MS = 2 * 60 * 1000;
const idleLimitMs = Number(document.body.dataset.idleMinutes || 0) * 60 * 1000;

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) if (menu !== except) menu.open = false;
}

function toggleRail() {
  const rail = document.getElementById("rail");
  const open = rail.toggleAttribute("data-open");
  const opener = document.querySelector(".rail-open");
  opener.setAttribute("aria-expanded", String(open));
  (open ? rail.querySelector("a") : opener).focus();
}

document.addEventListener("click", (event) => {
  const at = event.target.closest("[data-dialog],[data-close],[data-dismiss],[data-rail],[data-copy]");
  closeMenus(event.target.closest("details[data-menu]"));
  if (!at) return;
  if (at.dataset.dialog) {
    closeMenus();
    document.getElementById(at.dataset.dialog).showModal();
  } else if ("close" in at.dataset) at.closest("dialog").close();
  else if ("dismiss" in at.dataset) at.closest(".toast").remove();
  else if ("rail" in at.dataset) toggleRail();
  else if ("copy" in at.dataset) {
    navigator.clipboard.writeText(document.getElementById(at.dataset.copy).textContent.trim());
    at.textContent = "Copied";
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details[data-menu][open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (document.querySelector("#rail[data-open]")) toggleRail();
});

// A click on the backdrop closes a dialog; a form sent from it says so by its own button.
document.addEventListener("mousedown", (event) => {
  if (event.target instanceof HTMLDialogElement) event.target.close();
});

for (const dialog of document.querySelectorAll("dialog[data-open]")) dialog.showModal();

// Good news goes by itself; a refusal stays until it is dismissed.
setTimeout(() => document.querySelectorAll(".toast.success").forEach((one) => one.remove()), 8000);

// A form goes out once: its button waits for the answer.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  const button = event.submitter;
  const form = event.target;
  if (isLongAgo() && posts(form) && !form.hasAttribute("target")) {
    event.preventDefault();
    return void mayGo().then((may) => may && form.requestSubmit(button));
  }
  if (button) setTimeout(() => button.setAttribute("aria-disabled", "true"));
  if (event.target.dataset.sent) event.preventDefault();
  else if (!event.target.matches("[data-again],[target],[method=dialog],[hx-post],[hx-get]")) event.target.dataset.sent = "1";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
  }
});

// On a phone the tabs scroll: begin where the current one is in sight.
for (const tabs of document.querySelectorAll(".tabs")) {
  const here = tabs.querySelector("[aria-current]");
  if (here) tabs.scrollLeft = here.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - here.offsetWidth) / 2;
}

// Filters apply as they change where the form says so.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-apply]");
  if (form) form.requestSubmit();
});

// What a page asks by itself (polling, loading) says so: only what a person does keeps a session alive.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.triggeringEvent) event.detail.headers["X-Poll"] = "1";
});

// htmx: a whole page in answer to a fragment means the session is over; errors say what to do.
document.addEventListener("htmx:beforeSwap", (event) => {
  const answer = event.detail.xhr.responseText || "";
  if (/^\s*<!doctype/i.test(answer) && event.detail.target !== document.body) {
    event.detail.shouldSwap = false;
    check().then((state) => state === "alive" && location.reload());
  }
});
document.addEventListener("htmx:responseError", async (event) => {
  const forbidden = event.detail.xhr.status === 403;
  if (forbidden && (await wasRenewed(event.detail))) return;
  const gone = forbidden ? "That did not go through. Do it again; if it is refused again, you may not do this." : "";
  toast(gone || "The server could not answer. What you typed is still here; try again in a moment.");
});
document.addEventListener("htmx:sendError", () => toast("No connection. What you typed is still here; try again."));

// A polled fragment would talk without end: it says aloud only what its data-announce says, and only when that changes.
let announced = document.querySelector("[data-announce]")?.dataset.announce;
document.addEventListener("htmx:afterSettle", () => {
  const now = document.querySelector("[data-announce]")?.dataset.announce;
  if (now && now !== announced) document.getElementById("announcer").textContent = now;
  announced = now;
});

// PHI blanks when the tab idles or is hidden; once the session is over the page goes, or what was typed is covered, also
// where nobody comes back (SEC-14).
let last = Date.now();
let checking = false;
function seen() {
  if (idleLimitMs && Date.now() - last > idleLimitMs) {
    if (!checking) {
      checking = true;
      check().then((state) => {
        checking = false;
        if (state !== "alive") return;
        last = Date.now();
        seen();
      });
    }
    return;
  }
  last = Date.now();
  document.documentElement.classList.remove("idle");
}
for (const kind of ["pointermove", "keydown", "scroll", "touchstart", "focus"])
  addEventListener(kind, seen, { passive: true });
setInterval(() => {
  const away = Date.now() - last;
  const shown = document.querySelector("[data-phi]");
  if (shown) document.documentElement.classList.toggle("idle", away > BLANK_AFTER_MS);
  if ((shown || isTyped()) && idleLimitMs && away > idleLimitMs && isLongAgo()) check();
}, 5000);
