// The template editor: insert merge tags at the cursor, keep the preview in step with what was saved.

const form = document.querySelector("[data-template-form]");
const controls = document.querySelector("#preview-form");
const frame = document.querySelector("#preview");

let target = form?.querySelector("[name=html]");
form?.addEventListener("focusin", (event) => {
  if (event.target.matches("textarea, input[type=text]") && event.target.name !== "name") target = event.target;
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-insert]");
  if (!button || !target) return;
  const { selectionStart: from, selectionEnd: to } = target;
  target.setRangeText(button.dataset.insert, from, to, "end");
  target.dispatchEvent(new Event("input", { bubbles: true }));
  button.closest("details")?.removeAttribute("open");
  target.focus();
});

// How far down the character at `offset` stands, in pixels: long lines wrap, so a copy of the field is measured.
function depth(area, offset) {
  const copy = area.cloneNode();
  copy.removeAttribute("id");
  copy.removeAttribute("name");
  copy.rows = 1;
  copy.tabIndex = -1;
  Object.assign(copy.style, { position: "absolute", visibility: "hidden", width: `${area.offsetWidth}px`, minHeight: 0, height: 0 });
  copy.value = area.value.slice(0, offset);
  area.after(copy);
  const found = copy.scrollHeight;
  copy.remove();
  return found;
}

function scrollTo(area, offset) {
  area.scrollTop = Math.max(0, depth(area, offset) - 48);
}

document.addEventListener("click", (event) => {
  const jump = event.target.closest("[data-line]");
  const area = jump && form?.querySelector(`[name="${CSS.escape(jump.dataset.part)}"]`);
  if (!area) return;
  const before = area.value.split("\n").slice(0, Number(jump.dataset.line) - 1);
  const from = before.reduce((length, line) => length + line.length + 1, 0);
  const end = area.value.indexOf("\n", from);
  area.focus();
  area.setSelectionRange(from, end < 0 ? area.value.length : end);
  if (area.matches("textarea")) scrollTo(area, from);
  area.scrollIntoView({ block: "center" });
});

// A mail opens on what people read, not on its styles.
const html = form?.querySelector("[name=html]");
const body = html?.value.search(/<body[\s>]/i) ?? -1;
if (body > 0) scrollTo(html, body);

function show() {
  const choice = new URLSearchParams(new FormData(controls));
  const width = choice.get("width");
  choice.delete("width");
  frame.className = `frame tall ${width}`;
  frame.src = `${controls.dataset.preview}?${choice}`;
}

controls?.addEventListener("change", show);
controls?.addEventListener("submit", (event) => event.preventDefault());

document.body.addEventListener("htmx:afterSwap", (event) => {
  const saved = event.target.closest?.("#saved") ?? document.querySelector("#saved");
  if (!form || !saved || event.target.id !== "saved") return;
  form.querySelector("[name=revision]").value = saved.dataset.revision;
  if (!saved.querySelector(".danger")) {
    show();
    document.body.dispatchEvent(new Event("previewchanged"));
  }
});
