// What the chosen window of time does to the table and to the panels about requests.

/** Rows of the page's table that arrived in the window; those of the even sample alone. */
function chosen() {
  const { arrival, sampled } = page.table, [from, to] = state.brush ?? [-Infinity, Infinity];
  const rows = [];
  for (let k = 0; k < arrival.length; k++) if (sampled[k] && arrival[k] >= from && arrival[k] <= to) rows.push(k);
  return rows;
}

function latencies(run, rows) {
  return Float32Array.from(rows, (k) => page.table.latency[run][k]).filter(Number.isFinite).sort();
}

/** The shares of requests at or below each latency. */
function distribution(sorted) {
  const n = sorted.length, step = Math.max(1, Math.floor(n / 600));
  const x = [], share = [];
  for (let k = 0; k < n; k += k > n - 300 ? 1 : step) {
    x.push(sorted[k]);
    share.push((k + 1) / n);
  }
  return { x, share };
}

const selections = {
  "latency-cdf": (run, rows) => {
    const { x, share } = distribution(latencies(run, rows));
    return { x, y: share };
  },
  "latency-tail": (run, rows) => {
    const { x, share } = distribution(latencies(run, rows));
    return { x, y: share.map((v) => 1 - v).map((v) => (v > 1e-12 ? v : NaN)) };
  },
  "latency-volume": (run, rows) => {
    const { volume, latency } = page.table;
    const order = rows.filter((k) => Number.isFinite(latency[run][k])).sort((a, b) => volume[a] - volume[b]);
    const bins = Math.min(24, Math.max(4, Math.floor(order.length / 20)), order.length), x = [], y = [];
    for (let b = 0; b < bins; b++) {
      const part = order.slice(Math.floor((b * order.length) / bins), Math.floor(((b + 1) * order.length) / bins));
      x.push(volume[part[part.length >> 1]]);
      y.push(percentile(part.map((k) => latency[run][k]).sort((a, b) => a - b), 0.5));
    }
    return { x, y };
  },
};

/** A panel's lines for the chosen window: worked out again from its requests, or as they are. */
function seriesOf(panel, rows) {
  const select = selections[panel.name];
  if (!state.brush || !select) return panel.series;
  return panel.series.map((one) => ({ ...one, ...select(one.run, rows) }));
}

/** Put the window's figures in the table; without a window, the run's own. */
function fillTable() {
  const rows = state.brush ? chosen() : null;
  for (const line of document.querySelectorAll("#ranking tbody tr, #runs [data-run]")) {
    const run = Number(line.dataset.run);
    line.classList.toggle("dim", state.focus !== null && state.focus !== run);
    const own = rows ? windowFigures(run, rows) : null;
    for (const cell of line.querySelectorAll("td[data-figure]")) {
      cell.dataset.all ??= cell.textContent;
      const value = own ? own[cell.dataset.figure] : undefined;
      cell.textContent = !own ? cell.dataset.all : value === undefined ? "–" : figure(value);
    }
  }
  document.getElementById("window").textContent = rows ? windowText(rows.length) : "all requests";
}

function windowFigures(run, rows) {
  const sorted = latencies(run, rows);
  const evicted = rows.reduce((sum, k) => sum + page.table.evictions[run][k], 0);
  return {
    mean: sorted.length ? sorted.reduce((a, b) => a + b, 0) / sorted.length : NaN,
    p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99),
    ...(page.sample === page.requests ? { evictions: evicted } : {}),
  };
}

function windowText(count) {
  const [from, to] = state.brush.map(moment);
  const sample = page.sample === page.requests ? "" : ` (from an even sample of ${figure(page.sample)} of ${figure(page.requests)} requests)`;
  return `the ${plain.format(count)} requests that arrived between ${from} and ${to}${sample}`;
}

/** A panel's numbers as text, one row each. */
function csv(panel) {
  const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
  const lines = [["series", panel.x.title, panel.y.title || "y"].map(quoted).join(",")];
  if (panel.cells) {
    panel.cells.forEach((v, k) => lines.push([quoted(panel.y.names[Math.floor(k / panel.x.names.length)]), quoted(panel.x.names[k % panel.x.names.length]), v].join(",")));
  }
  const rows = state.brush ? chosen() : null;
  for (const one of seriesOf(panel, rows)) for (let k = 0; k < one.x.length; k++) lines.push([quoted(one.name), one.x[k] + (panel.x.time ? page.start : 0), one.y[k]].join(","));
  return lines.join("\n");
}
