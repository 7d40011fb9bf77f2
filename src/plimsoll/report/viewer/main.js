// Bring the page to life: until this has run, it shows the same panels as still pictures.

function legend() {
  const host = document.getElementById("colours");
  const choice = element("span", { class: "choice" }, "colour: ");
  for (const name of ["wait", "volume"]) {
    const button = element("button", { type: "button", "aria-pressed": state.colour === name }, page.scales[name].label);
    button.addEventListener("click", () => {
      state.colour = name;
      change("colour");
    });
    choice.append(button);
  }
  const swatches = Array.from({ length: 7 }, (_, c) => element("span", { class: "swatch" }, element("i", { class: `w${c}` }), classText(c)));
  choice.append(`in ${page.scales[state.colour].unit}:`);
  host.replaceChildren(choice, ...swatches);
}

function pictures() {
  const ready = (page.pictures = page.pictures.map(prepared));
  document.querySelectorAll(".picture").forEach((host, place) => {
    const select = element("select", { "aria-label": "run shown" });
    ready.forEach((p) => select.append(element("option", { value: p.run }, page.runs[p.run].name)));
    select.value = state.pictured[place];
    select.addEventListener("change", () => {
      state.pictured[place] = Number(select.value);
      change("pictured");
    });
    const told = element("span", { class: "told" });
    host.parentElement.querySelector("figcaption").replaceChildren(select, told);
    keys(host);
    when(["pictured"], () => told.replaceChildren(page.runs[state.pictured[place]].told));
    when(["view", "brush", "colour", "pictured"], () => drawPicture(host, ready.find((p) => p.run === state.pictured[place])));
  });
  when(["colour"], legend);
  when(["view", "pictured"], () => {
    document.getElementById("detail").textContent = banded() ? "Each band is one request." : classesText();
  });
}

function classesText() {
  if (detailed()) return "Bands are classes of requests; zoom in to see them one by one.";
  const [a, b] = page.window.map(moment);
  return `Bands are classes of requests; the close-up, ${a} to ${b}, has them one by one.`;
}

function buttons() {
  const acts = {
    "zoom-window": () => (state.brush ? look(...state.brush) : zoom(1 / 2)),
    "zoom-detail": () => look(...page.window),
    "zoom-out": () => zoom(2),
    "zoom-all": () => look(...page.span),
    "clear-window": clearBrush,
  };
  for (const [id, act] of Object.entries(acts)) document.getElementById(id).addEventListener("click", act);
  document.getElementById("tools").hidden = false;
}

function panels() {
  for (const panel of page.panels) {
    const host = document.querySelector(`[data-panel="${CSS.escape(panel.name)}"]`);
    keys(host);
    const parts = panel.kind === "heat" ? [] : panel.x.time ? ["view", "brush", "focus"] : panel.name in selections ? ["brush", "focus"] : ["focus"];
    when(parts, () => draw(host, panel, seriesOf(panel, state.brush ? chosen() : null)));
    const link = element("a", { class: "csv", href: "#", title: "the numbers of this panel" }, "CSV");
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const file = element("a", { href: URL.createObjectURL(new Blob([csv(panel)], { type: "text/csv" })), download: `${panel.name}.csv` });
      file.click();
      setTimeout(() => URL.revokeObjectURL(file.href), 1000);
    });
    host.parentElement.querySelector("figcaption h3").append(link);
  }
}

function rows() {
  for (const line of document.querySelectorAll("#ranking tbody tr, #runs [data-run]")) {
    const focus = (run) => () => {
      state.focus = run;
      change("focus");
    };
    line.addEventListener("pointerenter", focus(Number(line.dataset.run)));
    line.addEventListener("pointerleave", focus(null));
  }
  when(["brush", "focus"], fillTable);
}

async function main() {
  if (!("DecompressionStream" in window)) return;
  await unpack();
  Object.assign(page, { table: columns(page.table), pictures: columns(page.pictures), panels: columns(page.panels) });
  page.table.volume = Float64Array.from(page.table.prompt, (s, k) => s * page.table.output[k] + (page.table.output[k] * (page.table.output[k] + 1)) / 2);
  document.documentElement.classList.add("alive");
  pictures();
  panels();
  rows();
  buttons();
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) change("size");
    width = innerWidth;
  });
  for (const [event, printing] of [["beforeprint", true], ["afterprint", false]]) addEventListener(event, () => {
    document.documentElement.classList.toggle("printing", printing);
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => change("size"));
  document.documentElement.dataset.ready = "yes";
}

main();
