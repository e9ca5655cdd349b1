// Changes of two people to one journey; run in the page by test_browser_drawing.py.
async () => {
  const { merge, same } = await import("/static/js/workflow-edits.js");
  const base = { start: "a", steps: { a: { kind: "wait", span: { days: 1 }, exits: { next: "b" } }, b: { kind: "end" } } };
  const named = { ...base, steps: { ...base.steps, b: { kind: "end", name: "Over" } } };
  const longer = { ...base, steps: { ...base.steps, a: { ...base.steps.a, span: { days: 2 } } } };
  const shorter = { ...base, steps: { ...base.steps, a: { ...base.steps.a, span: { days: 3 } } } };
  const ends = { ...base, steps: { ...base.steps, a: { ...base.steps.a, exits: { next: null } } } };
  const cut = { start: "a", steps: { a: base.steps.a } };
  const both = merge(base, named, longer);
  return [
    both.steps.b.name === "Over" && both.steps.a.span.days === 2,
    merge(base, longer, shorter) === null,
    same(merge(base, longer, ends).steps.a, { kind: "wait", span: { days: 2 }, exits: { next: null } }),
    same(merge(base, ends, base), ends),
    merge(base, cut, named) === null,
    same(merge(base, cut, longer).steps, { a: longer.steps.a }),
  ];
}
