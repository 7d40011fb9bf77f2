// A frame: two axes with units around a plot, and the gestures of a shared clock.

const MARGIN = { left: 62, right: 14, top: 12, bottom: 44 };

/** Draw axes into a fresh SVG; returns it with its scales. ``range`` is [x0, x1, y0, y1]. */
function frame(host, panel, range, height) {
  const width = Math.max(260, host.clientWidth);
  const left = panel.y.names.length ? Math.min(width * 0.4, 16 + 7.3 * Math.max(...panel.y.names.map((n) => Math.min(n.length, 24)))) : MARGIN.left;
  const box = { x0: left, x1: width - MARGIN.right, y0: height - MARGIN.bottom, y1: MARGIN.top };
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": panel.title });
  const x = scaleOf(range[0], range[1], panel.x.log, box.x0, box.x1);
  const y = scaleOf(range[2], range[3], panel.y.log, box.y0, box.y1);
  const grid = shape("g", { class: "axis" });
  drawX(grid, panel.x, x, box);
  drawY(grid, panel.y, y, box);
  svg.append(grid);
  return { svg, x, y, box, width, height };
}

function drawX(grid, axis, x, box) {
  grid.append(shape("line", { x1: box.x0, x2: box.x1, y1: box.y0, y2: box.y0, class: "base" }));
  const most = Math.max(2, Math.floor((box.x1 - box.x0) / 66)), shift = axis.time ? page.start : 0;
  const round = () => ticks(x.back(box.x0) + shift, x.back(box.x1) + shift, most).map((t) => t - shift);
  const places = axis.names.length ? axis.names.map((_, k) => k) : axis.time ? round() : x.ticks(most);
  for (const at of places) {
    const pixel = x(at);
    if (!axis.names.length) grid.append(shape("line", { x1: pixel, x2: pixel, y1: box.y0, y2: box.y0 + 4 }));
    const text = axis.names.length ? clipped(axis.names[at], 14) : tickText(at + shift);
    grid.append(shape("text", { x: pixel, y: box.y0 + 17, "text-anchor": "middle" }, text));
  }
  const middle = (box.x0 + box.x1) / 2;
  grid.append(shape("text", { x: middle, y: box.y0 + 36, "text-anchor": "middle", class: "title" }, axis.title));
}

function drawY(grid, axis, y, box) {
  const places = axis.names.length ? axis.names.map((_, k) => k) : y.ticks(Math.max(2, Math.floor((box.y0 - box.y1) / (axis.log ? 28 : 44))));
  for (const at of places) {
    const pixel = y(at);
    if (!axis.names.length) grid.append(shape("line", { x1: box.x0, x2: box.x1, y1: pixel, y2: pixel, class: "grid" }));
    const text = axis.names.length ? clipped(axis.names[at], Math.min(24, Math.floor((box.x0 - 10) / 7))) : tickText(at);
    grid.append(shape("text", { x: box.x0 - 7, y: pixel + 4, "text-anchor": "end" }, text));
  }
  const at = (box.y0 + box.y1) / 2;
  if (!axis.names.length) grid.append(shape("text", { x: 13, y: at, "text-anchor": "middle", class: "title", transform: `rotate(-90 13 ${at})` }, axis.title));
}

function clipped(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** Straight lines across the plot with their names. */
function drawMarks(frame, marks, plimsoll) {
  for (const mark of marks) {
    const { box } = frame;
    const at = mark.axis === "y" ? frame.y(mark.at) : frame.x(mark.at);
    const across = mark.axis === "y" ? { x1: box.x0, x2: box.x1, y1: at, y2: at } : { x1: at, x2: at, y1: box.y0, y2: box.y1 };
    frame.svg.append(shape("line", { ...across, class: plimsoll ? "mark capacity" : "mark" }));
    const near = mark.axis === "y" ? (plimsoll ? { x: box.x1 - 4, y: at - 5, "text-anchor": "end" } : { x: box.x0 + 5, y: at - 5 }) : at > 0.3 * box.x0 + 0.7 * box.x1 ? { x: at - 5, y: box.y1 + 10, "text-anchor": "end" } : { x: at + 5, y: box.y1 + 10 };
    frame.svg.append(shape("text", { ...near, class: "marked" }, mark.label));
    if (plimsoll) frame.svg.append(shape("circle", { cx: box.x0 + 16, cy: at, r: 6, class: "mark capacity" }));
  }
}

/** The chosen window of time, and the gestures that choose, move and zoom. */
function clock(frame, hover) {
  const { svg, box, x } = frame;
  if (state.brush) {
    const [a, b] = state.brush.map((t) => Math.min(box.x1, Math.max(box.x0, x(t))));
    for (const [from, to] of [[box.x0, a], [b, box.x1]]) svg.append(shape("rect", { x: from, y: box.y1, width: to - from, height: box.y0 - box.y1, class: "outside" }));
    for (const at of [a, b]) svg.append(shape("line", { x1: at, x2: at, y1: box.y1, y2: box.y0, class: "rule" }));
  }
  const area = { x: box.x0, y: box.y1, width: box.x1 - box.x0, height: box.y0 - box.y1, class: "catch" };
  const plot = shape("rect", area);
  const timeAt = (event) => x.back(Math.min(box.x1, Math.max(box.x0, event.clientX - svg.getBoundingClientRect().left)));
  plot.addEventListener("pointermove", (event) => {
    if (!drag) hover(event, timeAt(event));
  });
  plot.addEventListener("pointerleave", hideTip);
  plot.addEventListener("pointerdown", (event) => {
    hideTip();
    event.preventDefault();
    svg.parentElement.focus({ preventScroll: true });
    drag = { from: timeAt(event), pan: event.shiftKey, view: state.view.slice(), x: event.clientX, scale: (state.view[1] - state.view[0]) / (box.x1 - box.x0), low: box.x0, left: svg.getBoundingClientRect().left };
  });
  plot.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.3 : 1 / 1.3, timeAt(event));
  }, { passive: false });
  plot.addEventListener("dblclick", () => (state.brush ? look(...state.brush) : look(...page.span)));
  svg.append(plot);
}

let drag = null;

addEventListener("pointermove", (event) => {
  if (!drag) return;
  const moved = event.clientX - drag.x;
  if (drag.pan) {
    look(drag.view[0] - moved * drag.scale, drag.view[1] - moved * drag.scale);
  } else if (Math.abs(moved) > 3) {
    const to = state.view[0] + (event.clientX - drag.left - drag.low) * drag.scale;
    const inside = (t) => Math.min(page.span[1], Math.max(page.span[0], t));
    state.brush = [Math.min(drag.from, inside(to)), Math.max(drag.from, inside(to))];
    change("brush");
  }
});

addEventListener("pointerup", (event) => {
  if (drag && !drag.pan && Math.abs(event.clientX - drag.x) <= 3 && state.brush) {
    const [a, b] = state.brush;
    if (drag.from < a || drag.from > b) clearBrush();
  }
  drag = null;
});

/** Look at a stretch of time, kept inside the run and its width where it can be. */
function look(from, to) {
  const [low, high] = page.span;
  const width = Math.min(high - low, Math.max(to - from, (high - low) * 1e-6));
  const start = Math.min(high - width, Math.max(low, from));
  state.view = [start, start + width];
  change("view");
}

function zoom(factor, around = (state.view[0] + state.view[1]) / 2) {
  look(around - (around - state.view[0]) * factor, around + (state.view[1] - around) * factor);
}

function clearBrush() {
  state.brush = null;
  change("brush");
}

/** Arrows move, + and − zoom, 0 shows the whole run, Escape clears the window. */
function keys(host) {
  host.tabIndex = 0;
  host.addEventListener("keydown", (event) => {
    const step = (state.view[1] - state.view[0]) / 8;
    const acts = {
      ArrowLeft: () => look(state.view[0] - step, state.view[1] - step),
      ArrowRight: () => look(state.view[0] + step, state.view[1] + step),
      "+": () => zoom(1 / 1.5), "=": () => zoom(1 / 1.5), "-": () => zoom(1.5), 0: () => look(...page.span),
      Enter: () => state.brush && look(...state.brush), Escape: clearBrush,
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  });
}
