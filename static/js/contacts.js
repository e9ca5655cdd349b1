// A page of revealed values is not to be shown again by going back or loading anew: its address becomes the masked page's.
const masked = document.querySelector("[data-masked-page]");
if (masked) history.replaceState(null, "", masked.dataset.maskedPage);

// Imports: fields of a new attribute appear with the choice, and how many columns are left out; a file too large is
// refused before it travels.

for (const select of document.querySelectorAll("[data-becomes]")) {
  const more = select.parentElement.querySelector("[data-new]");
  if (more) select.addEventListener("change", () => (more.hidden = select.value !== "+"));
}

const leftOut = document.querySelector("[data-left-out]");
if (leftOut) {
  const selects = [...document.querySelectorAll("[data-becomes]")];
  const show = () => {
    const empty = selects.filter((select) => !select.value).length;
    leftOut.hidden = !empty;
    leftOut.querySelector("strong").textContent = empty;
    for (const tag of document.querySelectorAll("[data-unknown]"))
      tag.hidden = Boolean(document.querySelector(`[name="column-${tag.dataset.unknown}"]`).value);
  };
  for (const select of selects) select.addEventListener("change", show);
  show();
}

const consent = document.querySelector("[data-consent]");
if (consent) {
  const details = consent.querySelector("[data-stated]");
  const show = () => (details.hidden = consent.elements.stated.value !== "yes");
  consent.addEventListener("change", show);
  show();
}

const upload = document.querySelector("[data-upload]");
if (upload) {
  const error = document.getElementById("file-error");
  upload.addEventListener("submit", (event) => {
    const file = upload.elements.file.files[0];
    const limit = Number(upload.dataset.maxMb);
    if (file && file.size > limit * 1024 * 1024) {
      event.preventDefault();
      event.stopImmediatePropagation();
      error.hidden = false;
      error.querySelector("span").textContent = `This file is larger than ${limit} MB. Cut it into several files and import one after the other.`;
      return;
    }
    error.hidden = true;
    upload.querySelector("[data-upload-progress]").hidden = false;
  });
}
