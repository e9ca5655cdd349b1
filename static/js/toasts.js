// A word in passing at the foot of the page, said aloud too.
export function toast(text) {
  const copy = document.getElementById("toast-template")?.content.firstElementChild.cloneNode(true);
  if (!copy) return;
  copy.querySelector("div").textContent = text;
  document.getElementById("toasts").append(copy);
}
