// The memory picture. Each column of pixels shows what the cache holds at the fullest moment of its stretch of time,
// so that no peak is lost at any zoom; where the page has every wedge, each request is a band of its own.

/** A run's picture with what its drawing needs: wedges by ascending start, their order by stop, the first starts. */
function prepared(picture) {
  const n = picture.start.length;
  const byStop = Uint32Array.from({ length: n }, (_, k) => k).sort((a, b) => picture.stop[a] - picture.stop[b]);
  const rank = new Uint32Array(n);
  byStop.forEach((k, place) => (rank[k] = place));
  const held = Float64Array.from(picture.row, (row, k) => page.table.prompt[row] + picture.kept[k]);
  const first = picture.first ?? picture.start;
  const area = (k) => (picture.stop[k] - picture.start[k]) * (held[k] + (stepAt(picture, picture.stop[k]) - first[k]) / 2);
  const typical = Array.from(picture.row, (_, k) => area(k)).reduce((sum, v) => sum + v, 0) / n;
  return { ...picture, n, byStop, rank, held, first, typical, classes: { wait: classesOf(picture, "wait"), volume: classesOf(picture, "volume") } };
}

function classesOf(picture, name) {
  const { edges } = page.scales[name];
  const value = name === "wait" ? page.table.wait[picture.run] : page.table.volume;
  return Uint8Array.from(picture.row, (row) => {
    const v = value[row];
    return Number.isFinite(v) ? edges.filter((edge) => v >= edge).length : edges.length;
  });
}

/** The step of the host at a time: in rounds the time itself, in seconds between the steps whose times are known. */
function stepAt(p, t) {
  if (!p.steps) return t;
  const k = Math.min(p.times.length - 1, Math.max(1, placeOf(p.times, t)));
  const share = (t - p.times[k - 1]) / (p.times[k] - p.times[k - 1]);
  return p.steps[k - 1] + Math.min(1, Math.max(0, share)) * (p.steps[k] - p.steps[k - 1]);
}

/** True where the page holds every wedge of the stretch looked at. */
function detailed() {
  return state.view[0] >= page.window[0] - 1e-6 && state.view[1] <= page.window[1] + 1e-6;
}

/** True where the stays of every run shown cover enough of its picture to be told apart, each a band of its own. */
function banded() {
  const enough = ((state.view[1] - state.view[0]) * page.capacity) / 1000;
  return detailed() && page.pictures.every((p) => !state.pictured.includes(p.run) || p.typical >= enough);
}

/** The fullest moment of each of ``count`` stretches of the view. */
function moments(p, count) {
  const [from, to] = state.view;
  const found = new Float64Array(count);
  let s = 0, e = 0, level = 0;
  const passTo = (t) => {
    for (; s < p.n && p.start[s] < t; s++) level += p.held[s] - p.first[s];
    for (; e < p.n && p.stop[p.byStop[e]] < t; e++) level -= p.held[p.byStop[e]] - p.first[p.byStop[e]];
    return level + (s - e) * stepAt(p, t);
  };
  passTo(from);
  for (let c = 0; c < count; c++) {
    const end = from + ((c + 1) / count) * (to - from);
    let best = -1;
    for (;;) {
      const t = Math.min(end, e < p.n ? Math.max(p.stop[p.byStop[e]], from) : end, s < p.n ? p.start[s] : end);
      const use = passTo(t);
      if (use > best) [best, found[c]] = [use, t];
      if (t >= end) break;
      passTo(Math.min(end, t + 1e-6 + Math.abs(t) * 1e-7));
    }
  }
  return found;
}

/** The wedges in memory at ``t``, the one that stays longest at the bottom. */
function bandsAt(p, t) {
  const found = [];
  for (let k = 0; k < p.n && p.start[k] < t; k++) if (p.stop[k] >= t) found.push(k);
  return found.sort((a, b) => p.rank[b] - p.rank[a]);
}

/** Call ``use(column, bands)`` for every moment in turn; bands are wedges from the bottom up. */
function sweep(p, times, use) {
  let bands = bandsAt(p, times[0]);
  let next = placeOf(p.start, times[0]);
  times.forEach((t, c) => {
    for (; next < p.n && p.start[next] < t; next++) {
      let low = 0, high = bands.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (p.rank[bands[middle]] > p.rank[next]) low = middle + 1;
        else high = middle;
      }
      bands.splice(low, 0, next);
    }
    while (bands.length && p.stop[bands[bands.length - 1]] < t) bands.pop();
    use(c, bands, t);
  });
}

/** A column of pixels, filled from the bottom up; a band may cover part of a pixel. */
class Column {
  constructor(image) {
    this.image = image;
    this.data = image.data;
  }

  start(x) {
    this.x = x;
    this.y = 0;
    this.part = [0, 0, 0, 0];
  }

  /** Add a band ``height`` pixels high: as an edge where it begins, else with an edge on top where it is tall. */
  add(height, colour, edge, begins) {
    if (height < 4) return this.fill(height, colour);
    this.fill(height - 1, begins ? edge : colour);
    this.fill(1, edge);
  }

  fill(height, [r, g, b]) {
    let left = height;
    while (left > 1e-9) {
      const pixel = Math.floor(this.y + 1e-9), room = Math.min(left, pixel + 1 - this.y);
      this.part[0] += room * r;
      this.part[1] += room * g;
      this.part[2] += room * b;
      this.part[3] += room;
      this.y += room;
      left -= room;
      if (this.y >= pixel + 1 - 1e-9) this.flush(pixel);
    }
  }

  flush(pixel) {
    const [r, g, b, cover] = this.part;
    const { width, height } = this.image;
    if (pixel < height && cover > 0) {
      const at = 4 * ((height - 1 - pixel) * width + this.x);
      this.data[at] = r / cover;
      this.data[at + 1] = g / cover;
      this.data[at + 2] = b / cover;
      this.data[at + 3] = 255 * Math.min(1, cover);
    }
    this.part = [0, 0, 0, 0];
  }

  end() {
    this.flush(Math.floor(this.y));
  }
}

/** A colour of the page's style as [red, green, blue]. */
function colourOf(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function classColours() {
  return Array.from({ length: 7 }, (_, k) => colourOf(`--w${k}`));
}

/** Paint the plot of a picture; ``scale`` is pixels per token. */
function paint(canvas, p, scale) {
  const { width, height } = canvas;
  if (!width || !height) return;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const colours = classColours();
  const pen = new Column(image);
  if (detailed()) {
    const classes = p.classes[state.colour], single = banded(), times = moments(p, width);
    const ground = colourOf("--ground"), edges = colours.map((colour) => colour.map((v, part) => (v + ground[part]) / 2));
    const wide = (4 * (state.view[1] - state.view[0])) / width;
    sweep(p, times, (x, bands, t) => {
      const step = stepAt(p, t), size = (k) => scale * (p.held[k] + step - p.first[k]);
      pen.start(x);
      const begins = (k) => x > 0 && p.start[k] >= times[x - 1] && p.stop[k] - p.start[k] > wide;
      if (single) for (const k of bands) pen.add(size(k), colours[classes[k]], edges[classes[k]], begins(k));
      else byClass(bands, classes, size).forEach((height, c) => pen.fill(height, colours[c]));
      pen.end();
    });
  } else {
    paintDensity(pen, p, scale, colours, width);
  }
  context.putImageData(image, 0, 0);
}

/** The summed sizes of some wedges in each class. */
function byClass(bands, classes, size) {
  const sums = new Float64Array(7);
  for (const k of bands) sums[classes[k]] += size(k);
  return sums;
}

/** The fullest bin under each column of pixels, split by class. */
function paintDensity(pen, p, scale, colours, width) {
  const count = p.moment.length, part = p[state.colour];
  const total = (bin) => colours.reduce((sum, _, c) => sum + part[c * count + bin], 0);
  for (let x = 0; x < width; x++) {
    const at = (share) => state.view[0] + share * (state.view[1] - state.view[0]);
    const bin = (t) => Math.min(count - 1, Math.max(0, Math.floor((t / page.span[1]) * count)));
    let best = bin(at(x / width));
    for (let b = best + 1; b <= bin(at((x + 1) / width) - 1e-9); b++) if (total(b) > total(best)) best = b;
    pen.start(x);
    colours.forEach((colour, c) => pen.fill(scale * part[c * count + best], colour));
    pen.end();
  }
}

/** What lies under the pointer, in words. */
function facts(p, t, tokens) {
  const run = page.runs[p.run].name;
  if (!banded()) return densityFacts(p, t);
  let below = 0;
  const bands = bandsAt(p, t), step = stepAt(p, t);
  const total = bands.reduce((sum, k) => sum + p.held[k] + step - p.first[k], 0);
  const head = `${run}, at ${moment(t)}: ${plain.format(total)} tokens, ${bands.length} running`;
  for (const k of bands) {
    const held = p.held[k] + step - p.first[k];
    below += held;
    if (below < tokens) continue;
    const row = p.row[k], { id, arrival, prompt, output, wait, latency, evictions } = page.table;
    return [head, `request ${id[row]}: holds ${plain.format(held)} tokens`, `prompt ${plain.format(prompt[row])}, output ${plain.format(output[row])} tokens`,
      `arrived ${moment(arrival[row])}, waited ${span(wait[p.run][row])}`,
      `latency ${span(latency[p.run][row])}, evicted ${evictions[p.run][row]} times${p.evicted[k] ? "; this stay was cut short" : ""}`];
  }
  return [head];
}

function densityFacts(p, t) {
  const count = p.moment.length, bin = Math.min(count - 1, Math.max(0, Math.floor((t / page.span[1]) * count)));
  const sizes = Array.from({ length: 7 }, (_, c) => p[state.colour][c * count + bin]);
  const total = sizes.reduce((a, b) => a + b, 0);
  const { label, unit } = page.scales[state.colour];
  const lines = sizes.map((v, c) => [`${label} ${classText(c)} ${unit}: ${plain.format(v)} tokens`, `w${c}`]).filter((_, c) => sizes[c] > 0).reverse();
  return [`${page.runs[p.run].name}, near ${moment(p.moment[bin])}: ${plain.format(total)} tokens`, ...lines];
}

/** The name of a class of the colour scale, in its unit. */
function classText(c) {
  const { edges } = page.scales[state.colour];
  if (c === 0) return `under ${edgeText(edges[0])}`;
  return c === edges.length ? `${edgeText(edges[c - 1])} or more` : `${edgeText(edges[c - 1])} to ${edgeText(edges[c])}`;
}

/** Draw one picture with its axes, its line and its gestures. */
function drawPicture(host, p) {
  const panel = { title: `Memory of ${page.runs[p.run].name}`, x: { title: `time (${page.unit})`, time: true, names: [] }, y: { title: "KV cache held (tokens)", names: [] } };
  const top = page.capacity * 1.12;
  const made = frame(host, panel, [...state.view, 0, top], 330);
  const { svg, box } = made;
  const ratio = Math.min(2, devicePixelRatio || 1), wide = box.x1 - box.x0, tall = box.y0 - box.y1;
  const canvas = element("canvas", { width: Math.round(wide * ratio), height: Math.round(tall * ratio) });
  Object.assign(canvas.style, { left: `${box.x0}px`, top: `${box.y1}px`, width: `${wide}px`, height: `${tall}px` });
  paint(canvas, p, canvas.height / top);
  drawMarks(made, [{ axis: "y", at: page.capacity, label: `capacity ${figure(page.capacity)} tokens` }], true);
  clock(made, (event, t) => showTip(event, facts(p, t, made.y.back(event.clientY - svg.getBoundingClientRect().top))));
  host.replaceChildren(canvas, svg);
}
