// The panels beside the canvas. A form keeps itself while it is filled in; its answer is laid over what stands there, so
// that the keyboard and what is being typed are never taken away. Rules are built in the very builder segments have.
import { morph, strip } from "./morph.js";
import { build } from "./segments.js";

const touched = new Set();
let unsaved = false;
let sent = "";
let busy = false;

const typing = (field) => field === document.activeElement && field.matches("textarea, input:not([type=checkbox], [type=radio])");

function lay(target, fresh) {
  const next = fresh.querySelector("[autofocus]:not(h2)")?.id;
  for (const marked of fresh.querySelectorAll("[autofocus]")) marked.removeAttribute("autofocus");
  const focus = next || (target.contains(document.activeElement) && document.activeElement.id);
  strip(target);
  strip(fresh);
  morph(target, fresh, (field) => touched.has(field.name) || typing(field), () => false);
  if (focus && document.activeElement.id !== focus) document.getElementById(focus)?.focus();
  for (const field of target.querySelectorAll("[data-narrows]")) narrow(field);
}

// A long list of choices is narrowed to what was typed above it, which is nothing to keep.
function narrow(field) {
  const asked = field.value.trim().toLowerCase();
  const options = [...field.closest("details").querySelectorAll(".option")];
  for (const option of options) option.hidden = !option.textContent.toLowerCase().includes(asked);
  const found = options.filter((option) => !option.hidden).length;
  field.nextElementSibling.textContent = asked ? (found ? `${found} of ${options.length}` : "None is called so.") : "";
}

for (const kind of ["input", "change", "keydown"])
  document.addEventListener(
    kind,
    (event) => {
      if (!event.target.matches?.("[data-narrows]") || event.key === "Escape" || event.key === "Tab") return;
      event.stopPropagation();
      if (event.key === "Enter") event.preventDefault();
      else if (kind === "input") narrow(event.target);
    },
    true,
  );

window.htmx.defineExtension("lay", {
  handleSwap(style, target, fragment) {
    const fresh = fragment.querySelector("#panel-body");
    if (style !== "lay" || !fresh) return false;
    lay(target, fresh);
    return [target];
  },
});

// A panel that was just put there: the keyboard goes into it, and a builder in it comes to life.
function opened(panel) {
  touched.clear();
  unsaved = false;
  busy = false;
  sent = "";
  const form = panel.querySelector("#rule-form");
  if (form && !form.dataset.built) {
    form.dataset.built = "1";
    build(form);
  }
  // Not where somebody only chose a step on the map, and goes on there.
  const aside = panel.closest("aside");
  if (aside) delete aside.dataset.entering;
  if (!panel.closest("[data-quiet]")) (panel.querySelector("[autofocus]") ?? panel.querySelector("h2"))?.focus();
}

document.addEventListener("htmx:load", ({ detail: { elt } }) => {
  const panel = elt.id === "panel-body" ? elt : elt.querySelector?.("#panel-body");
  if (!panel || panel.dataset.opened) return;
  panel.dataset.opened = "1";
  opened(panel);
});

// What somebody filled in, without what only says how the form was drawn.
function filled(data) {
  return new URLSearchParams([...data].filter(([name]) => !/^(csrfmiddlewaretoken|base|asked|drawn-.*)$/.test(name))).toString();
}

// A button does what it says once, when it is pressed; and what was kept already is not sent again.
document.addEventListener("htmx:configRequest", (event) => {
  const { target, detail } = event;
  if (target.id !== "panel-form") return;
  const pressed = detail.triggeringEvent?.type === "submit";
  if (!pressed) detail.formData.delete("do");
  const now = filled(detail.formData);
  if (!pressed && now === sent) {
    if (!busy) unsaved = false;
    return event.preventDefault();
  }
  sent = pressed ? "" : now;
  busy = true;
  touched.clear();
});
document.addEventListener("rule:changed", () => (unsaved = true));
document.addEventListener("htmx:afterRequest", ({ target, detail }) => {
  if (target.id === "rule-form") unsaved = !detail.successful;
  if (target.id !== "panel-form") return;
  busy = false;
  if (detail.successful) unsaved = touched.size > 0;
  else sent = "";
});
document.addEventListener("input", ({ target }) => {
  if (!target.name || !target.closest("#panel-form")) return;
  touched.add(target.name);
  unsaved = true;
});
addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});

// What the map asks for anew does not take away the panel somebody is in already.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const panel = document.getElementById("panel-body");
  const form = panel?.querySelector("#panel-form");
  if (!form || detail.target !== panel || detail.requestConfig.verb !== "get" || panel.contains(detail.requestConfig.elt)) return;
  const within = panel.contains(document.activeElement) && document.activeElement.id !== "panel-title";
  if ((unsaved || within) && detail.pathInfo.requestPath === form.getAttribute("action")) detail.shouldSwap = false;
});

// Escape goes back: from the builder to its panel, from a panel to the canvas, once what was typed is kept. Where it
// cannot be kept, the panel says why and stays; whoever closes it again leaves that.
function close(panel) {
  const form = panel.querySelector("#panel-form");
  const go = () => panel.dispatchEvent(new CustomEvent("panel-close", { bubbles: true }));
  const again = () => setTimeout(close, 0, panel);
  const typed = form && unsaved && filled(new FormData(form)) !== sent;
  if (!busy && !typed) return go();
  const then = ({ detail }) => detail.successful && !(typed && panel.querySelector("[data-waits]")) && again();
  form.addEventListener("htmx:afterRequest", then, { once: true });
  if (!busy) window.htmx.trigger(form, "change");
}

document.addEventListener("keydown", (event) => {
  const panel = event.key === "Escape" && !event.defaultPrevented && event.target.closest?.("#panel-body");
  if (!panel || document.querySelector("details[data-menu][open]")) return;
  event.preventDefault();
  const back = panel.querySelector("[data-back]");
  if (back) back.click();
  else close(panel);
});
document.addEventListener("click", ({ target }) => {
  // From the builder to its panel the keyboard is nowhere for a moment: whatever shows the panel anew takes it along.
  const aside = target.closest("#panel-body [data-back]")?.closest("aside");
  if (aside) {
    aside.dataset.entering = "1";
    aside.removeAttribute("data-quiet");
  }
  if (target.closest("[data-panel-close]")) close(target.closest("#panel-body"));
});
