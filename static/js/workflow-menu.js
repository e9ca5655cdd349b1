const FORGETS_AFTER_MS = 1000;
let typed = "";
let forget = 0;

// A menu at a place of the page: by mouse, by arrows, by its first letters. Focus goes back to where it came from.
export function openMenu({ title, groups, at, opener }) {
  closeMenu();
  typed = "";
  const menu = document.createElement("div");
  menu.className = "journey-menu";
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", title);
  const heading = document.createElement("p");
  heading.className = "journey-menu-title";
  heading.textContent = title;
  menu.append(heading);
  for (const { label, items } of groups) {
    if (!items.length) continue;
    const group = document.createElement("div");
    group.setAttribute("role", "group");
    if (label) {
      group.setAttribute("aria-label", label);
      const name = document.createElement("p");
      name.className = "journey-menu-group";
      name.setAttribute("aria-hidden", "true");
      name.textContent = label;
      group.append(name);
    }
    for (const item of items) group.append(choice(item));
    menu.append(group);
  }
  menu.back = opener || document.activeElement;
  menu.addEventListener("contextmenu", (event) => event.preventDefault()); // the key for menus comes twice
  menu.addEventListener("keydown", keys);
  menu.addEventListener("keyup", (event) => event.key === " " && typed && event.preventDefault()); // a space within a word
  document.body.append(menu);
  stand(menu, at);
  menu.querySelector("[role=menuitem]")?.focus({ preventScroll: true });
  setTimeout(() => document.addEventListener("pointerdown", outside, true));
  return menu;
}

function choice({ label, help, keys: shortcut, icon, danger, tone, look, run }) {
  const item = document.createElement("button");
  item.type = "button";
  item.setAttribute("role", "menuitem");
  item.tabIndex = -1;
  item.className = danger ? "danger" : tone || "";
  if (icon) item.append(icon);
  const words = document.createElement("span");
  words.append(label);
  if (help) {
    const more = document.createElement("small");
    more.textContent = help;
    words.append(more);
  }
  item.append(words);
  if (shortcut) {
    const hint = document.createElement("kbd");
    hint.textContent = shortcut;
    item.append(hint);
    item.setAttribute("aria-keyshortcuts", shortcut);
  }
  if (look) item.addEventListener("focus", look);
  item.addEventListener("click", () => {
    closeMenu(true);
    run();
  });
  return item;
}

// Beside its place, and always wholly on the screen.
function stand(menu, at) {
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(at.x, innerWidth - width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(at.y, innerHeight - height - 8))}px`;
}

export function closeMenu(back = false) {
  const menu = document.querySelector(".journey-menu");
  if (!menu) return false;
  document.removeEventListener("pointerdown", outside, true);
  const { back: opener } = menu;
  const inside = menu.contains(document.activeElement);
  menu.remove();
  document.dispatchEvent(new Event("journey-menu-closed"));
  if ((back || inside) && opener?.isConnected) opener.focus({ preventScroll: true });
  return true;
}

function outside(event) {
  if (!event.target.closest(".journey-menu")) closeMenu();
}

function keys(event) {
  const items = [...event.currentTarget.querySelectorAll("[role=menuitem]")];
  const now = items.indexOf(document.activeElement);
  const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: items.length - 1 }[event.key];
  event.stopPropagation();
  if (to !== undefined) {
    event.preventDefault();
    items[(to + items.length) % items.length].focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    event.preventDefault();
    closeMenu(true);
  } else if (event.key.length === 1 && (event.key !== " " || typed) && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    clearTimeout(forget);
    forget = setTimeout(() => (typed = ""), FORGETS_AFTER_MS);
    typed += event.key.toLowerCase();
    items.find((item) => item.textContent.toLowerCase().startsWith(typed))?.focus();
  }
}
