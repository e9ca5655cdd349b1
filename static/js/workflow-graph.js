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

export function drawnWays(step) {
  const hidden = OPTIONAL[step.kind];
  return waysOut(step).filter((way) => way !== hidden || way in (step.exits || {}));
}

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

export const incoming = (definition, id) => places(definition).filter((place) => target(definition, place) === id);

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
export function read(definition) {
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
}

export const order = (definition) => read(definition).order;

// A step with all that hangs on it alone: up to the step where its ways come together again (`join`), or to their ends.
export function region(definition, id) {
  const { back } = read(definition);
  const ways = (step) => placesOf(definition, step).filter((place) => !back.has(key(place)));
  const below = new Set();
  const waiting = [id];
  while (waiting.length) {
    for (const place of ways(waiting.pop())) {
      const to = target(definition, place);
      if (to && !below.has(to)) {
        below.add(to);
        waiting.push(to);
      }
    }
  }
  const within = (join) => {
    const found = new Set([id]);
    const stack = [id];
    let ends = false;
    while (stack.length) {
      const step = stack.pop();
      const places = ways(step);
      if (!places.length) ends = true;
      for (const place of places) {
        const to = target(definition, place);
        if (to === null) ends = true;
        else if (to !== join && !found.has(to)) {
          found.add(to);
          stack.push(to);
        }
      }
    }
    return { found, ends };
  };
  let best = null;
  for (const join of below) {
    const { found, ends } = within(join);
    if (!ends && (!best || found.size < best.steps.size)) best = { steps: found, join };
  }
  if (best) return best;
  // Its ways end, or go on elsewhere: what can only be reached through it belongs to it.
  const others = reachable(definition, [definition.start, ...loose(definition)], new Set([id]));
  return { steps: new Set([id, ...[...below].filter((step) => !others.has(step))]), join: null };
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
  const from = new Map();
  for (const place of places(definition)) {
    const to = target(definition, place);
    if (to) from.set(to, [...(from.get(to) || []), place.from]);
  }
  const seen = new Set();
  const waiting = [id];
  while (waiting.length)
    for (const step of from.get(waiting.shift()) || [])
      if (step !== TRIGGER && !seen.has(step)) {
        seen.add(step);
        waiting.push(step);
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
