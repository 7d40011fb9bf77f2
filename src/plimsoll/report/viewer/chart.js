// Panels: lines, dots, and a heat map.

/** The least and greatest good values of some columns, with a little air. */
function extent(series, name, log) {
  let low = Infinity, high = -Infinity;
  for (const one of series) for (const v of one[name]) {
    if (!Number.isFinite(v) || (log && v <= 0)) continue;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low <= high ? [low, high] : [log ? 1 : 0, log ? 10 : 1];
}

function ranges(panel, series) {
  const x = panel.x.time ? state.view : panel.x.names.length ? [-0.5, panel.x.names.length - 0.5] : extent(series, "x", panel.x.log);
  if (panel.y.names.length) return [...widened(x), panel.y.names.length - 0.5, -1.1];
  let [low, high] = extent(series, "y", panel.y.log);
  for (const mark of panel.marks) {
    if (mark.axis === "y") high = Math.max(high, mark.at);
    else if (!panel.x.time) x.splice(0, 2, Math.min(x[0], mark.at), Math.max(x[1], mark.at));
  }
  if (!panel.y.log) [low, high] = [0, high * 1.08 || 1];
  return [...x, low, high > low ? high : panel.y.log ? low * 10 : low + 1];
}

/** Room for the certified limit at 1 on the left and for a label on the right. */
function widened([low, high]) {
  return [Math.min(0.95, low * 0.95), Math.max(high * 1.5, 2)];
}

function path(one, frame, panel) {
  let text = "", pen = "M";
  const { x, y, box } = frame;
  const from = panel.x.time ? Math.max(0, placeOf(one.x, state.view[0]) - 1) : 0;
  for (let k = from; k < one.x.length; k++) {
    if ((panel.x.log && one.x[k] <= 0) || (panel.y.log && one.y[k] <= 0) || !Number.isFinite(one.y[k])) continue;
    const px = x(one.x[k]);
    text += `${pen}${px.toFixed(1)} ${y(one.y[k]).toFixed(1)}`;
    pen = "L";
    if (px > box.x1 + 1) break;
  }
  return text;
}

function seriesClass(run) {
  return run === null ? "s0 d0" : `s${page.runs[run].colour} d${page.runs[run].dash}`;
}

/** Draw one panel into its figure; called again whenever what it shows changes. */
function draw(host, panel, series) {
  if (panel.kind === "heat") return drawHeat(host, panel);
  const height = panel.y.names.length ? 90 + 26 * panel.y.names.length : 270;
  const made = frame(host, panel, ranges(panel, series), height);
  const { svg, box } = made;
  if (panel.shaded) drawShade(made, panel.shaded);
  const clip = `clip-${panel.name}`;
  const cut = shape("clipPath", { id: clip });
  cut.append(shape("rect", { x: box.x0, y: box.y1 - 3, width: box.x1 - box.x0, height: box.y0 - box.y1 + 3 }));
  const lines = shape("g", { "clip-path": `url(#${clip})` });
  svg.append(cut, lines);
  for (const one of [...series].reverse()) {
    const kind = `${seriesClass(one.run)}${state.focus !== null && one.run !== state.focus ? " dim" : ""}`;
    if (panel.kind === "dot") drawDot(svg, made, one, kind);
    else lines.append(shape("path", { d: path(one, made, panel), class: `line ${kind}` }));
    if (panel.kind === "points") one.x.forEach((v, k) => svg.append(shape("circle", { cx: made.x(v), cy: made.y(one.y[k]), r: 3.5, class: `dot ${kind}` })));
  }
  drawMarks(made, panel.marks, panel.name === "memory");
  if (panel.kind === "line" || panel.kind === "points") hoverable(made, panel, series);
  host.replaceChildren(svg);
}

/** The ground of a part of the x axis, its name above the axis at its right end. */
function drawShade({ svg, box, x }, { low, high, label }) {
  svg.prepend(shape("rect", { x: x(low), y: box.y1, width: x(high) - x(low), height: box.y0 - box.y1, class: "shaded" }));
  svg.append(shape("text", { x: x(high) - 7, y: box.y0 - 9, "text-anchor": "end", class: "marked" }, label));
}

function drawDot(svg, made, one, kind) {
  const px = made.x(one.x[0]), py = made.y(one.y[0]);
  svg.append(shape("line", { x1: made.x(1), x2: px, y1: py, y2: py, class: `stem ${kind}` }));
  svg.append(shape("circle", { cx: px, cy: py, r: 5, class: `dot ${kind}` }));
  svg.append(shape("text", { x: px + 10, y: py + 4, class: "value" }, one.x[0].toFixed(2)));
}

/** The value of each line at the pointer, best first. */
function hoverable(made, panel, series) {
  const { svg, box, x, y } = made;
  const rule = shape("line", { y1: box.y1, y2: box.y0, class: "rule", visibility: "hidden" });
  svg.append(rule);
  const hover = (event, pointed) => {
    const at = panel.kind === "points" ? nearest(series[0].x, pointed) : pointed;
    rule.setAttribute("x1", x(at));
    rule.setAttribute("x2", x(at));
    rule.setAttribute("visibility", "visible");
    const told = series.map((one) => {
      const k = Math.min(one.x.length - 1, placeOf(one.x, at));
      return [one.y[k], one];
    }).filter(([v]) => Number.isFinite(v)).sort((a, b) => b[0] - a[0]);
    const where = figure(at + (panel.x.time ? page.start : 0));
    const lines = told.slice(0, 14).map(([v, one]) => [`${one.name}: ${panel.y.label.startsWith("share") ? shareText(v) : figure(v)}`, seriesClass(one.run)]);
    showTip(event, [`${panel.x.label} ${where} ${panel.x.unit}`.trim(), ...lines]);
  };
  const leave = () => {
    rule.setAttribute("visibility", "hidden");
    hideTip();
  };
  if (panel.x.time) {
    clock(made, hover);
  } else {
    const plot = shape("rect", { x: box.x0, y: box.y1, width: box.x1 - box.x0, height: box.y0 - box.y1, class: "catch still" });
    plot.addEventListener("pointermove", (event) => hover(event, x.back(event.clientX - svg.getBoundingClientRect().left)));
    svg.append(plot);
  }
  svg.addEventListener("pointerleave", leave);
}

function nearest(places, x) {
  return places.reduce((best, v) => (Math.abs(v - x) < Math.abs(best - x) ? v : best));
}

function shareText(value) {
  return `${Number((100 * value).toPrecision(4))} %`;
}

function drawHeat(host, panel) {
  const rows = panel.y.names.length, across = panel.x.names.length;
  const made = frame(host, panel, [-0.5, across - 0.5, rows - 0.5, -0.5], 64 + 34 * rows);
  const good = Array.from(panel.cells).filter((v) => Number.isFinite(v) && v > 0);
  const low = Math.log(Math.min(...good)), high = Math.log(Math.max(...good));
  const wide = (made.box.x1 - made.box.x0) / across, tall = (made.box.y0 - made.box.y1) / rows;
  for (let r = 0; r < rows; r++) for (let c = 0; c < across; c++) {
    const value = panel.cells[r * across + c];
    const level = !Number.isFinite(value) ? "none" : high > low ? Math.round((6 * (Math.log(value) - low)) / (high - low)) : 0;
    const at = { x: made.box.x0 + c * wide + 1, y: made.box.y1 + r * tall + 1 };
    made.svg.append(shape("rect", { ...at, width: wide - 2, height: tall - 2, rx: 3, class: `cell h${level}` }));
    made.svg.append(shape("text", { x: at.x + wide / 2 - 1, y: at.y + tall / 2 + 3, "text-anchor": "middle", class: `celltext h${level}` }, Number.isFinite(value) ? figure(value) : "unstable"));
  }
  host.replaceChildren(made.svg);
}
