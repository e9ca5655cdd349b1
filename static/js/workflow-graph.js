// A journey's definition read as a graph. Pure: no page, no server.
// A place is one way out of one step, {from, way}; the trigger has the one way out "start".
export const TRIGGER = "~trigger";
export const RULES = "~rules";
export const START = { from: TRIGGER, way: "start" };

// Ways out that are only drawn where somebody asked for them.
export const OPTIONAL = { mail: "refused", wait_until: "past", webhook: "failed" };
const SAME_AS = { refused: "next", past: "next" };

const numbered = (list) => (list || []).map((_, n) => String(n + 1));

const WAYS = {
  mail: () => ["next", "refused"],
  wait_until: () => ["next", "past"],
  webhook: () => ["next", "failed"],
  wait_event: () => ["happened", "timeout"],
  branch: (step) => [...numbered(step.cases), "else"],
  branch_mail: (step) => [...(step.cases || ["clicked"]), "else"],
  split: (step) => numbered(step.shares),
  end: () => [],
};

export const waysOut = (step) => (WAYS[step.kind] || (() => ["next"]))(step);

// Staff see to a call that failed unless its way leads somewhere; the others are drawn also where they end.
export function hasOwnWay({ kind, exits = {} }) {
  return kind === "webhook" ? Boolean(exits.failed) : OPTIONAL[kind] in exits;
}

export const drawnWays = (step) => waysOut(step).filter((way) => way !== OPTIONAL[step.kind] || hasOwnWay(step));

export const key = ({ from, way }) => `${from} ${way}`;

// The step a way leads to; null: the journey ends there.
export function target(definition, { from, way }) {
  const to =
    from === TRIGGER ? definition.start : exits(definition, from)[way in exits(definition, from) ? way : SAME_AS[way]];
  return to != null && to in definition.steps ? to : null;
}

const exits = (definition, id) => definition.steps[id]?.exits || {};

export function places(definition) {
  const all = [START];
  for (const id of order(definition)) for (const way of drawnWays(definition.steps[id])) all.push({ from: id, way });
  return all;
}

export function placesOf(definition, id) {
  if (id === TRIGGER || id === RULES) return [START];
  return drawnWays(definition.steps[id]).map((way) => ({ from: id, way }));
}

export const follow = (definition, id) => placesOf(definition, id).map((place) => target(definition, place)).filter(Boolean);

// Definitions never change in place: what was read of one is so as long as it is there.
function once(work) {
  const known = new WeakMap();
  return (definition) => {
    if (!known.has(definition)) known.set(definition, work(definition));
    return known.get(definition);
  };
}

const arrivals = once((definition) => {
  const found = new Map();
  for (const place of places(definition)) {
    const to = target(definition, place);
    if (to) found.set(to, [...(found.get(to) || []), place]);
  }
  return found;
});

export const incoming = (definition, id) => arrivals(definition).get(id) || [];

// These steps and all that come after them; what comes after one in `but` is not looked at.
export function reachable(definition, starts, but = new Set()) {
  const seen = new Set(starts.filter((id) => id && !but.has(id)));
  const waiting = [...seen];
  while (waiting.length) {
    for (const to of follow(definition, waiting.pop())) {
      if (seen.has(to) || but.has(to)) continue;
      seen.add(to);
      waiting.push(to);
    }
  }
  return seen;
}

// Steps in the order of reading (each after those that lead to it, first ways first), and the ways that lead back.
export const read = once((definition) => {
  const state = new Map();
  const back = new Set();
  const done = [];
  for (const root of [definition.start, ...Object.keys(definition.steps)]) {
    if (!root || !(root in definition.steps) || state.has(root)) continue;
    const part = [];
    const open = (id) => {
      state.set(id, "open");
      return { id, ways: placesOf(definition, id).reverse() };
    };
    const stack = [open(root)];
    while (stack.length) {
      const top = stack.at(-1);
      const place = top.ways.shift();
      if (!place) {
        state.set(top.id, "done");
        part.push(top.id);
        stack.pop();
        continue;
      }
      const to = target(definition, place);
      if (to && !state.has(to)) stack.push(open(to));
      else if (to && state.get(to) === "open") back.add(key(place));
    }
    done.push(...part.reverse());
  }
  return { order: done, back };
});

export const order = (definition) => read(definition).order;

// A step with all that hangs on it alone: up to the step where its ways come together again (`join`), or to their ends.
export function region(definition, id) {
  const { back } = read(definition);
  const ways = (step) => placesOf(definition, step).filter((place) => !back.has(key(place)));
  // Where they come together lies on each of its ways, so also on this one: the nearest such step.
  const path = [];
  for (let [place] = ways(id); place; [place] = ways(path.at(-1))) {
    const to = target(definition, place);
    if (to === null) break;
    path.push(to);
  }
  for (const join of path) {
    const steps = upTo(id, join, (step) => ways(step).map((place) => target(definition, place)));
    if (steps) return { steps, join };
  }
  // Its ways end, or go on elsewhere: what can only be reached through it belongs to it.
  const reached = reachable(definition, [definition.start]).has(id);
  const others = reachable(definition, reached ? [definition.start] : [definition.start, ...loose(definition)], new Set([id]));
  const below = reachable(definition, [id]);
  return { steps: new Set([...below].filter((step) => step === id || !others.has(step))), join: null };
}

// The steps from `id` on that come before `join`; null where one of their ways ends without it.
function upTo(id, join, next) {
  const found = new Set([id]);
  const waiting = [id];
  while (waiting.length) {
    const after = next(waiting.pop());
    if (!after.length || after.includes(null)) return null;
    for (const to of after) {
      if (to === join || found.has(to)) continue;
      found.add(to);
      waiting.push(to);
    }
  }
  return found;
}

// Steps nothing leads to, but for the start.
export function loose(definition) {
  const reached = reachable(definition, [definition.start]);
  const rest = Object.keys(definition.steps).filter((id) => !reached.has(id));
  const led = new Set(rest.flatMap((id) => follow(definition, id)));
  return rest.filter((id) => !led.has(id));
}

// Steps that come before this one, nearest first.
export function above(definition, id) {
  const seen = new Set();
  const waiting = [id];
  while (waiting.length)
    for (const { from } of incoming(definition, waiting.shift()))
      if (from !== TRIGGER && !seen.has(from)) {
        seen.add(from);
        waiting.push(from);
      }
  seen.delete(id);
  return [...seen];
}

// The journey as nested lists: steps one after the other, under a decision its ways, after them where they join.
export function outline(definition) {
  const placed = new Set();
  const { back } = read(definition);
  const sequence = (first, stop) => {
    const items = [];
    let id = first;
    while (id && id !== stop) {
      if (placed.has(id)) {
        items.push({ goes: id });
        return items;
      }
      placed.add(id);
      const ways = placesOf(definition, id);
      const item = { id, ways: [] };
      items.push(item);
      if (ways.length === 1) {
        const place = ways[0];
        const to = target(definition, place);
        item.after = place;
        if (to && back.has(key(place))) {
          items.push({ goes: to, back: true });
          return items;
        }
        if (to === null) items.push({ ends: true });
        id = to;
        continue;
      }
      const { join } = ways.length ? region(definition, id) : { join: null };
      for (const place of ways) {
        const to = target(definition, place);
        let inner;
        if (to && back.has(key(place))) inner = [{ goes: to, back: true }];
        else if (to && to === join) inner = [{ joins: true }];
        else inner = to ? sequence(to, join) : [{ ends: true }];
        item.ways.push({ place, items: inner });
      }
      id = join;
    }
    return items;
  };
  const main = definition.start in definition.steps ? sequence(definition.start, null) : [];
  const rest = loose(definition).map((id) => sequence(id, null));
  for (const id of Object.keys(definition.steps)) if (!placed.has(id)) rest.push(sequence(id, null));
  return { main, rest };
}
