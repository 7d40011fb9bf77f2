// The page's data, its state, and the words and scales that every picture shares.

const SVG = "http://www.w3.org/2000/svg";
const page = JSON.parse(document.getElementById("data").textContent);
let block = null;

/** What is looked at: times are counted from the first arrival. */
const state = { view: page.span.slice(), brush: null, focus: null, colour: "wait", pictured: page.pictured.slice() };

const listeners = [];
let pending = new Set();

/** Redraw, at the next frame, whatever depends on the named part of the state. */
function change(...parts) {
  if (pending.size === 0) requestAnimationFrame(() => {
    const now = pending;
    pending = new Set();
    for (const [wanted, draw] of listeners) if (wanted.some((part) => now.has(part))) draw();
  });
  for (const part of parts) pending.add(part);
}

/** Redraw everything at once: a printer does not wait for the next frame. */
function redraw() {
  for (const [, draw] of listeners) draw();
}

function when(parts, draw) {
  listeners.push([[...parts, "size"], draw]);
  draw();
}

async function unpack() {
  const bytes = Uint8Array.from(atob(document.getElementById("columns").textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  block = await new Response(stream).arrayBuffer();
}

function column(place) {
  return new (place.t === "i" ? Int32Array : Float32Array)(block, place.at, place.n);
}

/** Replace every described column inside a value by its numbers. */
function columns(value) {
  if (Array.isArray(value)) return value.map(columns);
  if (value === null || typeof value !== "object") return value;
  if ("at" in value && "n" in value && "t" in value) return column(value);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, columns(inner)]));
}

// ---- elements

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function shape(name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

// ---- numbers

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** Three digits, thousands apart. */
function figure(value) {
  if (value === null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return plain.format(value);
  return size >= 100 && !Number.isInteger(value) ? value.toFixed(1) : String(Number(value.toPrecision(3)));
}

/** A length of time with its unit; rounds are whole. */
function span(value) {
  if (!Number.isFinite(value)) return "–";
  return `${page.unit === "rounds" ? plain.format(value) : figure(value)} ${page.unit}`;
}

/** An instant of the run's own clock, told from the time since the first arrival. */
function moment(t) {
  const at = t + page.start;
  return page.unit === "rounds" ? `round ${plain.format(at)}` : `${at.toFixed(at < 100 ? 3 : 2)} s`;
}

/** An edge of a class of colours. */
function edgeText(value) {
  return value >= 1e6 ? tickText(value) : value >= 1000 ? plain.format(value) : figure(value);
}

/** As short as an axis needs. */
function tickText(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return `${Number((value / 1e9).toPrecision(3))}G`;
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(4))}k`;
  if (size > 0 && size < 1e-3) return value.toExponential(0);
  return String(Number(value.toPrecision(6)));
}

function ticks(low, high, most) {
  const raw = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(k * step);
  return found;
}

/** Powers of ten, with 2 and 5 where there is room; where there are none, as on a line. */
function logTicks(low, high, most) {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  const close = [], tens = [];
  for (let e = first - 1; e <= last; e++) for (const m of [1, 2, 5]) close.push(m * 10 ** e);
  const inside = close.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  if (inside.length < 2) return ticks(low, high, most);
  if (inside.length <= most) return inside;
  for (let e = first; e <= last; e += Math.max(1, Math.ceil((last - first + 1) / most))) tens.push(10 ** e);
  return tens;
}

/** A scale from values to pixels and back. */
function scaleOf(low, high, log, from, to) {
  const f = log ? Math.log : (v) => v, back = log ? Math.exp : (v) => v;
  const a = f(low), b = f(high) === a ? a + 1 : f(high);
  const scale = (v) => from + ((f(v) - a) / (b - a)) * (to - from);
  scale.back = (pixel) => back(a + ((pixel - from) / (to - from)) * (b - a));
  scale.ticks = (most) => (log ? logTicks(low, high, most) : ticks(low, high, most));
  return scale;
}

/** The place of the first value of a sorted column that is not below x. */
function placeOf(sorted, x) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A percentile of sorted values, linear in between. */
function percentile(sorted, share) {
  if (sorted.length === 0) return NaN;
  const at = share * (sorted.length - 1), k = Math.floor(at);
  return k + 1 < sorted.length ? sorted[k] + (at - k) * (sorted[k + 1] - sorted[k]) : sorted[k];
}

// ---- the note at the pointer

const tip = document.getElementById("tip");

/** Show lines of text beside the pointer; a line may be [text, series class]. */
function showTip(event, lines) {
  tip.replaceChildren(...lines.map((line) => {
    const [text, kind] = Array.isArray(line) ? line : [line, null];
    const row = element("div");
    if (kind !== null) row.append(element("span", { class: `key ${kind}` }));
    row.append(text);
    return row;
  }));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = event.clientX + 16 + box.width > innerWidth ? event.clientX - box.width - 12 : event.clientX + 16;
  const top = Math.min(Math.max(4, event.clientY + 14), innerHeight - box.height - 4);
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${top}px`;
}

function hideTip() {
  tip.hidden = true;
}
