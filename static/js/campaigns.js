// One render at a time: whose mail, and how wide.

for (const renders of document.querySelectorAll("[data-renders]")) {
  const form = renders.querySelector("form");
  const frame = renders.querySelector("iframe");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => {
    const { persona, width } = form.elements;
    for (const said of renders.querySelectorAll("[data-persona]")) said.hidden = said.dataset.persona !== persona.value;
    frame.classList.toggle("phone", width.value === "phone");
    const src = `${renders.dataset.renders}?persona=${encodeURIComponent(persona.value)}`;
    if (frame.getAttribute("src") !== src) frame.src = src;
  });
}
