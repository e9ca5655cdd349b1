// Lay one drawing of a form over another: what is alike stays the same element, and keeps keyboard, caret and open list.

const alike = (a, b) =>
  a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.type === b.type && a.dataset?.kind === b.dataset?.kind && key(a) === key(b);

const key = (node) => node?.dataset?.key;
const keys = (nodes) => new Set(nodes.map(key).filter(Boolean));

// White space between elements says nothing here, and would make equal trees differ.
export function strip(root) {
  const empty = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (!walker.currentNode.data.trim()) empty.push(walker.currentNode);
  for (const node of empty) if (!node.parentNode.closest?.("textarea")) node.remove();
}

// `kept`: what is in the field stays. A time that is half typed would be emptied by a new `value` attribute, too.
function attributes(old, fresh, kept) {
  const stays = (name) => kept && name === "value";
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && !(name === "open" && !("menu" in old.dataset)) && !stays(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (name !== "autofocus" && !stays(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
}

const options = (select) => [...select.options].map((option) => `${option.value}\n${option.text}`).join("\n");

function field(old, fresh, keep) {
  if (old.nodeName === "SELECT") {
    const [had, given] = [old.value, fresh.value];
    if (options(old) !== options(fresh)) old.replaceChildren(...fresh.childNodes);
    const chosen = keep(old) && [...old.options].some((option) => option.value === had) ? had : given;
    if (old.value !== chosen) old.value = chosen;
  } else if (keep(old)) return;
  else if (old.type === "checkbox" || old.type === "radio") old.checked = fresh.checked;
  else if (old.value !== fresh.value) old.value = fresh.value;
}

// Children of `old` become those of `fresh`; `keep(field)`: its value is newer than the answer; `skip(element)`: leave
// what stands in it. A child with `data-key` is never taken for another one: what comes before it may come and go.
export function morph(old, fresh, keep, skip) {
  const wanted = [...fresh.childNodes];
  const [named, known] = [keys(wanted), keys([...old.childNodes])];
  for (const child of [...old.childNodes]) if (key(child) && !named.has(key(child))) child.remove();
  wanted.forEach((next, n) => {
    const had = old.childNodes[n];
    if (!had) old.append(next);
    else if (key(next) && !known.has(key(next))) had.before(next);
    else if (!alike(had, next)) had.replaceWith(next);
    else if (had.nodeType !== Node.ELEMENT_NODE) {
      if (had.data !== next.data) had.data = next.data;
    } else {
      attributes(had, next, had.matches("input") && keep(had));
      if (had.matches("input, select, textarea")) field(had, next, keep);
      else if (!skip(had)) morph(had, next, keep, skip);
    }
  });
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
}
