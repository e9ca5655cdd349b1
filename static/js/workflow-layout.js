// Where everything stands. Sizes are known beforehand, so that nothing is measured in the page.
/* global dagre */
import { RULES, TRIGGER, key, placesOf, read, target } from "./workflow-graph.js";

export const CARD = { width: 288, height: 78 };
export const RULES_CARD = { width: 288, height: 54 };
export const NUMBERS = 28;
const END = { width: 132, height: 40 };
const STUB = { width: 22, height: 16 };
const GAP = 60;
const CHIP = 26;
const ROUND = 10;
const LANES = [0, 13, 19]; // pixels below the middle, for ways that go sideways at once: past a plus of others
const TOP_GAP = 10;

// `wide(text)`: pixels a way's label takes; `label(place)`: its text; `numbers`: cards are taller.
export function layout(definition, { label, wide, numbers }) {
  const { order, back } = read(definition);
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "TB", nodesep: 32, edgesep: 24, ranksep: GAP, ranker });
  graph.setDefaultEdgeLabel(() => ({}));
  const more = numbers ? NUMBERS : 0;
  const size = (id) => {
    if (id === TRIGGER) return { width: CARD.width, height: CARD.height + TOP_GAP + RULES_CARD.height };
    return definition.steps[id].kind === "end" ? { ...END, height: END.height + more } : { ...CARD, height: CARD.height + more };
  };
  for (const id of [TRIGGER, ...order]) graph.setNode(id, size(id));
  const ways = [];
  for (const id of [TRIGGER, ...order]) {
    const all = placesOf(definition, id);
    for (const place of all) {
      const to = target(definition, place);
      const way = { place, key: key(place), to, back: back.has(key(place)), chip: all.length > 1 ? label(place) : "" };
      let from = id;
      if (way.chip) {
        from = way.key;
        graph.setNode(from, { width: wide(way.chip) + 26, height: 0 });
        graph.setEdge(id, from, { weight: 2 });
      }
      way.end = to && !way.back ? to : `${way.key} end`;
      if (way.end !== to) graph.setNode(way.end, way.back ? { width: wide(way.backTo = label(place, to)) + 44, height: 28 } : { ...STUB });
      graph.setEdge(from, way.end, { weight: 1 });
      ways.push(way);
    }
  }
  // Where no ways join, the order of reading crosses nothing already.
  const joins = new Set(ways.map((way) => way.end)).size < ways.length;
  dagre.layout(graph, { disableOptimalOrderHeuristic: !joins });
  return place(graph, definition, order, ways);
}

// Each as near to what leads to it as can be; quicker than dagre's own ranker, and steps keep their height when others
// are added beside them.
function ranker(graph) {
  const missing = new Map(graph.nodes().map((name) => [name, graph.inEdges(name).length]));
  const ready = graph.nodes().filter((name) => !missing.get(name));
  for (const name of ready) graph.node(name).rank = 0;
  while (ready.length) {
    const name = ready.pop();
    for (const edge of graph.outEdges(name)) {
      const next = graph.node(edge.w);
      next.rank = Math.max(next.rank ?? 0, graph.node(name).rank + graph.edge(edge).minlen);
      missing.set(edge.w, missing.get(edge.w) - 1);
      if (!missing.get(edge.w)) ready.push(edge.w);
    }
  }
}

function place(graph, definition, order, ways) {
  const nodes = new Map();
  for (const id of [TRIGGER, ...order]) {
    const { x, y, width, height } = graph.node(id);
    nodes.set(id, { x: Math.round(x - width / 2), y: Math.round(y - height / 2), width, height });
  }
  const top = nodes.get(TRIGGER);
  nodes.set(RULES, { ...RULES_CARD, x: top.x, y: top.y + CARD.height + TOP_GAP });
  nodes.set(TRIGGER, { ...top, height: CARD.height });
  for (const way of ways) trace(graph, way);
  spread(ways);
  for (const way of ways) way.path = rounded(squared(way));
  const all = graph.nodes().map((name) => graph.node(name));
  const left = Math.min(...all.map((n) => n.x - n.width / 2));
  const right = Math.max(...all.map((n) => n.x + n.width / 2));
  const bottom = Math.max(...all.map((n) => n.y + n.height / 2));
  return { nodes, ways, box: { x: left, y: top.y, width: right - left, height: bottom - top.y } };
}

function trace(graph, way) {
  const from = graph.node(way.place.from);
  const start = [from.x, from.y + from.height / 2];
  const end = graph.node(way.end);
  const finish = [end.x, end.y - end.height / 2 - (way.to && !way.back ? 3 : 0)];
  let points = [start];
  if (way.chip) {
    const chip = graph.node(way.key);
    points.push(...bends(graph, way.place.from, way.key), [chip.x, chip.y]);
    way.label = { x: chip.x, y: chip.y, width: chip.width, height: CHIP };
    way.plus = { x: chip.x, y: chip.y + CHIP / 2 + 17 };
    points.push(...bends(graph, way.key, way.end));
  } else {
    way.plus = { x: start[0], y: start[1] + GAP / 2 };
    points.push(...bends(graph, way.place.from, way.end));
  }
  points.push(finish);
  way.points = points;
  if (way.end !== way.to) way.stub = { x: end.x, y: end.y, width: end.width, height: end.height };
}

// Every edge passes an even number of ranks; between two ranks of steps it may go sideways, beside steps only down.
function bends(graph, from, to) {
  const edge = graph.edge(from, to);
  return edge.points.slice(1, -1).map(({ x, y }) => [x, y]);
}

// Where ways go sideways between the same two ranks, one over the other, each gets a height of its own, and none goes
// through the plus of another; but those from the same step, or to the same step, run together.
function spread(ways) {
  const gaps = new Map();
  for (const way of ways) {
    const { points } = way;
    const last = points.length - 2;
    way.heights = new Map();
    for (let n = 1; n <= last; n += 2) {
      const [low, high] = [points[n - 1][0], points[n + 1][0]].sort((a, b) => a - b);
      if (high - low < 1) continue;
      const y = points[n][1];
      const names = [n === 1 ? `from ${way.place.from}` : `in ${way.key}`, n === last ? `to ${way.end}` : `in ${way.key}`];
      gaps.set(y, [...(gaps.get(y) || []), { way, n, low, high, names }]);
    }
  }
  for (const [y, runs] of gaps) {
    const lanes = LANES.map(() => []);
    const near = ways.filter(({ plus }) => Math.abs(plus.y - y) < 12);
    for (const bundle of bundles(runs)) {
      const crosses = (other) => other.some((one) => bundle.some((run) => run.low < one.high + 8 && one.low < run.high + 8));
      const meets = ({ key, plus: { x } }) => bundle.every(({ way }) => way.key !== key) && bundle.some(({ low, high }) => low < x + 12 && x - 12 < high);
      const free = lanes.findIndex((others, lane) => !others.some(crosses) && (lane > 0 || !near.some(meets)));
      const lane = free < 0 ? lanes.length - 1 : free;
      lanes[lane].push(bundle);
      for (const { way, n } of bundle) way.heights.set(n, y + LANES[lane]);
    }
  }
}

function bundles(runs) {
  const found = [];
  for (const run of runs) {
    const mine = found.filter((bundle) => bundle.some((one) => one.names.some((name) => run.names.includes(name))));
    for (const one of mine) found.splice(found.indexOf(one), 1);
    found.push([run, ...mine.flat()]);
  }
  return found;
}

// Down and sideways only: an odd point is between ranks, where the way goes sideways to the next even one.
function squared({ points, heights }) {
  const path = [points[0]];
  for (let n = 1; n < points.length - 1; n += 2) {
    const across = heights.get(n) ?? points[n][1];
    const [x, y] = points[n + 1];
    path.push([path.at(-1)[0], across], [x, across], [x, y]);
  }
  return path.filter(([x, y], n) => {
    const [before, after] = [path[n - 1], path[n + 1]];
    if (!before || !after) return true;
    const straight = (axis, here) => Math.abs(before[axis] - here) < 1 && Math.abs(after[axis] - here) < 1;
    return !straight(0, x) && !straight(1, y);
  });
}

function rounded(points) {
  const tenth = (n) => Math.round(n * 10) / 10;
  let path = `M${tenth(points[0][0])} ${tenth(points[0][1])}`;
  for (let n = 1; n < points.length; n++) {
    const [x, y] = points[n];
    const next = points[n + 1];
    const [px, py] = points[n - 1];
    const r = next ? Math.min(ROUND, length(px, py, x, y) / 2, length(x, y, ...next) / 2) : 0;
    const [ix, iy] = toward(x, y, px, py, r);
    path += `L${tenth(ix)} ${tenth(iy)}`;
    if (next) {
      const [ox, oy] = toward(x, y, ...next, r);
      path += `Q${tenth(x)} ${tenth(y)} ${tenth(ox)} ${tenth(oy)}`;
    }
  }
  return path;
}

const length = (ax, ay, bx, by) => Math.hypot(bx - ax, by - ay);

function toward(x, y, tx, ty, by) {
  const all = length(x, y, tx, ty) || 1;
  return [x + ((tx - x) * by) / all, y + ((ty - y) * by) / all];
}

