// Random edits of a journey, each of which has to keep what it promises; run in the page by test_browser_drawing.py.
async ({kinds, rounds}) => {
  const graph = await import("/static/js/workflow-graph.js");
  const edits = await import("/static/js/workflow-edits.js");
  let seed = 20261122;
  const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  const pick = (list) => list[random(list.length)];
  const freeze = (value) => {
    if (value && typeof value === "object") Object.values(value).forEach(freeze);
    return Object.freeze(value);
  };
  const wrong = [];
  const check = (holds, what, ...more) => holds || wrong.push([what, ...more.map((one) => JSON.stringify(one))].join(" "));
  let now = freeze({ version: 1, start: null, steps: {} });
  let clip = null;
  const done = {};
  for (let n = 0; n < rounds; n++) {
    const ids = Object.keys(now.steps);
    const place = pick(graph.places(now));
    const id = ids.length ? pick(ids) : null;
    const before = graph.reachable(now, [now.start]);
    let what = pick(["add", "add", "move", "move", "remove", "connect", "copy", "paste", "own"]);
    if (!id) what = "add";
    let next = now;
    try {
      if (what === "add") {
        next = edits.add(now, place, pick(kinds)).definition;
        check(Object.keys(next.steps).length === ids.length + 1, "one step more");
      } else if (what === "move") {
        next = edits.move(now, id, place, id).definition;
        check(Object.keys(next.steps).sort().join() === ids.sort().join(), "moving loses and makes no step");
        const after = graph.reachable(next, [next.start]);
        check(!before.has(place.from) && place.from !== graph.TRIGGER || [...before].every((one) => after.has(one)), "what was reached still is", id, place, now);
        check(graph.target(next, place) === id, "it stands where it was put");
      } else if (what === "remove") {
        const { options, join } = edits.remains(now, id);
        const to = pick([null, join, ...options.map((option) => option.to)]);
        next = edits.remove(now, id, to).definition;
        check(!(id in next.steps), "it is gone");
        if (to && to !== id) check(to in next.steps, "what was to stay stays", id, to, now);
        const after = graph.reachable(next, [next.start]);
        // But for what hung on loose steps before.
        const held = graph.reachable(next, graph.loose(now).filter((one) => one !== id));
        for (const one of before)
          if (!after.has(one) && !held.has(one)) check(!(one in next.steps), "what nobody comes to any more goes too", one, id, to, now);
      } else if (what === "connect") next = edits.connect(now, place, id).definition;
      else if (what === "copy") clip = edits.copy(now, id, random(2) === 0);
      else if (what === "paste" && clip && ids.length < 60) {
        next = edits.paste(now, place, clip, "it").definition;
        check(Object.keys(next.steps).length === ids.length + Object.keys(clip.steps).length, "as many steps more as were copied");
      } else if (what === "own" && graph.OPTIONAL[now.steps[id].kind])
        next = graph.hasOwnWay(now.steps[id]) ? edits.unite(now, id).definition : edits.separate(now, id).definition;
    } catch (error) {
      if (!(error instanceof edits.Refused)) throw error;
      done.refused = (done.refused || 0) + 1;
    }
    done[what] = (done[what] || 0) + 1;
    for (const [step, node] of Object.entries(next.steps))
      for (const to of Object.values(node.exits || {})) check(to === null || to in next.steps, "ways lead to steps there are", what, step, to, now);
    const listed = [];
    const walk = (items) => items.forEach((item) => { if (item.id) { listed.push(item.id); item.ways.forEach((way) => walk(way.items)); } });
    const outline = graph.outline(next);
    [outline.main, ...outline.rest].forEach(walk);
    check(listed.sort().join() === Object.keys(next.steps).sort().join(), "each step stands in the list, once", next);
    now = freeze(next);
    if (Object.keys(now.steps).length > 50) now = freeze({ version: 1, start: null, steps: {} });
    if (wrong.length) break;
  }
  return { wrong, done };
}
