// Draws every [data-chart] with uPlot; the numbers are in the table behind it, too.

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function bars() {
  return uPlot.paths.bars({ size: [0.6, 40] });
}

function draw(place) {
  const given = JSON.parse(place.dataset.chart);
  const x = given.timed ? given.x : given.x.map((_, n) => n);
  const colours = ["--series-1", "--series-2", "--series-3", "--series-4"].map(style);
  const axis = { stroke: style("--ink-soft"), grid: { stroke: style("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const words = {
    splits: () => x,
    values: (_, at) => at.map((n) => given.x[n] ?? ""),
    grid: { show: false },
  };
  // Bars stand on their moments, so the first and the last need half a step beside them.
  const room = given.timed && given.kind === "bar" ? (x.at(-1) - x[0]) / (2 * Math.max(x.length - 1, 1)) : 0;
  const clock = [
    [86400, "{D} {MMM}", null, null, null, null, null, null, 1],
    [3600, "{HH}:00", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
    [60, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
  ];
  const options = {
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), given.zone),
    width: place.clientWidth,
    height: 220,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: {
      // One moment alone still needs a span around it.
      x: given.timed ? { time: true, range: (_, low, high) => (low === high ? [low - 60, high + 60] : [low - room, high + room]) } : { time: false, range: [-0.6, x.length - 0.4] },
      y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] },
    },
    axes: [
      given.timed ? { ...axis, grid: { show: false }, values: clock } : { ...axis, ...words },
      { ...axis, size: 56, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6] },
    ],
    series: [
      {},
      ...given.series.map((line, n) => ({
        label: line.label,
        stroke: colours[n % colours.length],
        width: 2,
        points: { show: x.length < 3 },
        ...(given.kind === "bar" ? { fill: colours[n % colours.length], paths: bars() } : {}),
      })),
    ],
  };
  place.replaceChildren();
  return new uPlot(options, [x, ...given.series.map((line) => line.values)], place);
}

const drawn = new Map();
function drawAll(root) {
  for (const place of root.querySelectorAll("[data-chart]")) {
    if (!drawn.has(place) && place.clientWidth) drawn.set(place, draw(place));
  }
  for (const place of drawn.keys()) if (!place.isConnected) drawn.delete(place);
}

drawAll(document);
document.addEventListener("htmx:afterSettle", (event) => drawAll(event.target));
addEventListener("resize", () => {
  for (const [place, chart] of drawn) chart.setSize({ width: place.clientWidth, height: 220 });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const place of drawn.keys()) drawn.set(place, draw(place));
});
