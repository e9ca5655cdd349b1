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

function show() {
  const choice = new URLSearchParams(new FormData(controls));
  const width = choice.get("width");
  choice.delete("width");
  frame.className = `frame ${width}`;
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
