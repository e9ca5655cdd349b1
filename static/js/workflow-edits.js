// What can be done to a journey. Each takes a definition and gives a new one, or throws Refused; the old one stays as
// it was, so that undoing is going back to it.
import { OPTIONAL, TRIGGER, above, incoming, loose, places, placesOf, reachable, read, region, key, target } from "./workflow-graph.js";

export const MAX_STEPS = 200;
export class Refused extends Error {}

const LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";

// Never one that was there before: versions know steps by it.
function newId(definition) {
  for (;;) {
    const id = "s" + [...crypto.getRandomValues(new Uint8Array(5))].map((n) => LETTERS[n % LETTERS.length]).join("");
    if (!(id in definition.steps)) return id;
  }
}

function lead(definition, { from, way }, to) {
  if (from === TRIGGER) return { ...definition, start: to };
  const step = definition.steps[from];
  return withStep(definition, from, { ...step, exits: { ...step.exits, [way]: to } });
}

const withStep = (definition, id, step) => ({ ...definition, steps: { ...definition.steps, [id]: step } });

function without(definition, ids) {
  const steps = {};
  for (const [id, step] of Object.entries(definition.steps)) {
    if (ids.has(id)) continue;
    steps[id] = step;
    for (const [way, to] of Object.entries(step.exits || {}))
      if (ids.has(to)) steps[id] = { ...steps[id], exits: { ...steps[id].exits, [way]: null } };
  }
  return { ...definition, start: ids.has(definition.start) ? null : definition.start, steps };
}

// The first way out of these steps that leads nowhere, in the order of reading.
function openEnd(definition, first, within) {
  const seen = new Set([first]);
  const waiting = [first];
  while (waiting.length) {
    for (const place of placesOf(definition, waiting.shift())) {
      const to = target(definition, place);
      if (to === null) return place;
      if (within.has(to) && !seen.has(to)) {
        seen.add(to);
        waiting.push(to);
      }
    }
  }
  return null;
}

// Put steps that are in the definition already, `first` of them in front, where `place` leads.
function splice(definition, place, first, within, named) {
  const to = target(definition, place);
  if (to) {
    const end = openEnd(definition, first, within);
    if (end) definition = lead(definition, end, to);
    else if (named) throw new Refused(`${named} has no way on, and there are steps after this place. Put it at the end of a way.`);
  }
  return lead(definition, place, first);
}

function room(definition, more) {
  if (Object.keys(definition.steps).length + more > MAX_STEPS)
    throw new Refused(`A journey has at most ${MAX_STEPS} steps. Divide it: one journey can have people enter another.`);
}

// What a new step knows from its place: a branch by a mail asks about the mail before it.
function fitted(step, definition, place) {
  if (step.kind === "split") return { ...step, seed: crypto.getRandomValues(new Uint16Array(1))[0] };
  // Whom a date lets in, no event is about the same as.
  if (step.kind === "wait_event" && definition.trigger?.kind === "date") return { ...step, same_key: false };
  if (step.kind !== "branch_mail") return step;
  const before = [place.from, ...above(definition, place.from)];
  return { ...step, mail: before.find((id) => definition.steps[id]?.kind === "mail") || "" };
}

// A new step at a place. Where the kind has no way on (End), what came after stays, unattached.
export function add(definition, place, step) {
  room(definition, 1);
  const id = newId(definition);
  const fit = fitted(step, definition, place);
  return { definition: splice(withStep(definition, id, fit), place, id, new Set([id])), id };
}

// Where somebody may want to go on when a step goes: along one of its ways, where its ways meet, or nowhere.
export function remains(definition, id) {
  const { join } = region(definition, id);
  const options = placesOf(definition, id).map((place) => ({ way: place.way, to: target(definition, place) }));
  return { options: options.filter((option) => option.to !== null && option.to !== id), join };
}

// What nobody could come to any more once `id` no longer leads on; steps that hung loose before stay.
function drop(definition, left, id, first, to = null) {
  const kept = reachable(left, [left.start, to, ...loose(definition).filter((one) => one !== id)]);
  const gone = new Set([...reachable(definition, [first])].filter((one) => one in left.steps && !kept.has(one)));
  return { definition: without(left, gone), gone: gone.size };
}

// Take a step out; `to` follows in its place. What could only be reached through it goes as well.
export function remove(definition, id, to) {
  let left = definition;
  for (const place of incoming(definition, id)) left = lead(left, place, to === id ? null : to);
  return drop(definition, without(left, new Set([id])), id, id, to);
}

// The places a step can be moved to.
export function placesFor(definition, id) {
  const { steps } = region(definition, id);
  return places(definition).filter((place) => !steps.has(place.from) && target(definition, place) !== id);
}

// Move a step, and what hangs on it up to where its ways meet, to another place; the gap closes.
export function move(definition, id, place, named) {
  const { steps, join } = region(definition, id);
  if (steps.has(place.from)) throw new Refused("A step cannot go after itself. Choose a place outside of it.");
  if (target(definition, place) === id) throw new Refused("It is there already.");
  let left = definition;
  for (const into of incoming(definition, id)) if (!steps.has(into.from)) left = lead(left, into, join);
  for (const step of steps)
    for (const way of placesOf(left, step)) if (join && target(left, way) === join) left = lead(left, way, null);
  return { definition: splice(left, place, id, steps, named), id };
}

// Have a way out lead to a step that is there: ways join, or lead back.
export function connect(definition, place, to) {
  if (to === place.from) throw new Refused("A step cannot lead to itself.");
  if (to !== null && target(definition, place) === to) throw new Refused("It leads there already.");
  return { definition: lead(definition, place, to), id: to };
}

// A way out of its own for whoever could not be mailed, whose date had passed, or whose call failed.
export function separate(definition, id) {
  room(definition, 1);
  const end = newId(definition);
  const way = OPTIONAL[definition.steps[id].kind];
  return { definition: lead(withStep(definition, end, { kind: "end" }), { from: id, way }, end), id: end };
}

export function unite(definition, id) {
  const step = definition.steps[id];
  const { [OPTIONAL[step.kind]]: old, ...exits } = step.exits;
  return drop(definition, withStep(definition, id, { ...step, exits }), null, old);
}

// Steps to be put elsewhere: one, or with all that comes after it.
export function copy(definition, id, following) {
  const chosen = new Set([id]);
  if (following) {
    const { back } = read(definition);
    const waiting = [id];
    while (waiting.length)
      for (const place of placesOf(definition, waiting.pop())) {
        const to = target(definition, place);
        if (!to || back.has(key(place)) || chosen.has(to)) continue;
        chosen.add(to);
        waiting.push(to);
      }
  }
  const steps = {};
  for (const one of chosen) {
    const step = definition.steps[one];
    const kept = Object.entries(step.exits || {}).filter(([way, to]) => chosen.has(to) || way === OPTIONAL[step.kind]);
    steps[one] = { ...step, exits: Object.fromEntries(kept.map(([way, to]) => [way, chosen.has(to) ? to : null])) };
  }
  return { first: id, steps };
}

export function paste(definition, place, clip, named) {
  room(definition, Object.keys(clip.steps).length);
  const ids = new Map();
  let next = definition;
  for (const id of Object.keys(clip.steps)) {
    ids.set(id, newId(next));
    next = withStep(next, ids.get(id), {});
  }
  for (const [id, step] of Object.entries(clip.steps)) {
    const exits = Object.fromEntries(Object.entries(step.exits || {}).map(([way, to]) => [way, ids.get(to) ?? null]));
    const fresh = { ...step, exits };
    if (fresh.mail && ids.has(fresh.mail)) fresh.mail = ids.get(fresh.mail);
    next = withStep(next, ids.get(id), fresh);
  }
  const first = ids.get(clip.first);
  return { definition: splice(next, place, first, new Set(ids.values()), named), id: first };
}

const plain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const sorted = (_, value) =>
  plain(value) ? Object.fromEntries(Object.keys(value).sort().map((name) => [name, value[name]])) : value;
export const same = (a, b) => a === b || JSON.stringify(a, sorted) === JSON.stringify(b, sorted);

class Conflict extends Error {}

// Two people's changes to one definition in one; null where both changed the same thing.
export function merge(base, mine, theirs) {
  try {
    return merged(base, mine, theirs);
  } catch (error) {
    if (error instanceof Conflict) return null;
    throw error;
  }
}

function merged(base, mine, theirs) {
  if (same(mine, theirs) || same(base, theirs)) return mine;
  if (same(base, mine)) return theirs;
  if (!plain(mine) || !plain(theirs)) throw new Conflict();
  const both = {};
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const value = merged(base?.[name], mine[name], theirs[name]);
    if (value !== undefined) both[name] = value;
  }
  return both;
}
