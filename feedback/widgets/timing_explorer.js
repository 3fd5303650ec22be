// Times of a sweep on logarithmic axes, with a run of the reader's own over them (chapter 9).
//
// Python has computed every number: plots.views holds, for each thing that was timed, size along
// the axis and other sizes, a line for each model, path and run. Here they are chosen and drawn.

export default widget(({ model, el }) => {
  let showChoices = () => {}; // until there is a picture
  const draw = guarded(el, () => {
    const { picture, show } = buildExplorer(model);
    el.replaceChildren(picture);
    showChoices = show;
    showChoices();
  });
  draw();
  const offs = [
    onChange(model, ["plots"], draw),
    onChange(model, ["what", "over", "at", "unit", "variants"], guarded(el, () => showChoices())),
    onWidth(el, guarded(el, () => showChoices())),
  ];
  return () => offs.forEach((off) => off());
});

const UNITS = ["seconds", "tokens a second", "ratio to parallel"];
const SIZE_NAMES = {
  tokens: "tokens T",
  layers: "layers L",
  batch: "batch B, sequences at once",
  width: "width d",
  heads: "heads H",
  hidden: "hidden width F",
};

// A marker and a pattern of dashes for each model and path, so that colour is never alone.
const CIRCLE = "M5.5 0a5.5 5.5 0 1 1-11 0a5.5 5.5 0 1 1 11 0z";
const LOOKS = {
  parallel: [CIRCLE, ""],
  "feedback-kv": ["M-5-5h10v10h-10z", ""],
  "feedback-kv, loop": ["M0-7L7 0 0 7-7 0z", "2 4"],
  feedback: ["M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z", "12 4 2 4"],
  "feedback, loop": ["M0 6.5L6-4.5H-6z", "2 4"],
};

// ---- choices ----

// The view that fits best to what was chosen: what is timed counts most, then the axis.
function viewOf(model) {
  const fit = (view) =>
    4 * (view.what === model.get("what")) +
    2 * (view.over === model.get("over")) +
    (view.at === model.get("at"));
  return model.get("plots").views.reduce((best, view) => (fit(view) > fit(best) ? view : best));
}

const shownLines = (model, view) =>
  view.lines.filter((line) => model.get("variants").includes(line.variant));

// Builds the controls; `show` brings everything up to date with what is chosen.
function buildExplorer(model) {
  const { runs, views, variants, alike } = model.get("plots");
  const choose = (choices) => {
    Object.entries(choices).forEach(([name, value]) => model.set(name, value));
    model.save_changes();
  };
  const texts = (name, of) => [...new Set(of.map((view) => view[name]))];
  const chooser = (label, name) =>
    menu(label, [], "", (value) => choose({ ...pick(viewOf(model)), [name]: value }));

  const menus = { what: chooser("Time of", "what"), over: chooser("against", "over") };
  menus.at = chooser("at", "at");
  menus.unit = menu("in", pairs(UNITS), "", (unit) => choose({ unit }));
  const boxes = variants.map((variant) =>
    variantBox(variant, (on) => {
      const chosen = model.get("variants");
      const next = variants.filter((v) => (v === variant ? on : chosen.includes(v)));
      choose({ variants: next });
    }),
  );

  const plot = element("div", { className: "plot" });
  const table = element("div", { className: "numbers", role: "group", tabIndex: 0 });
  table.ariaLabel = "Medians and slopes";
  const sentence = liveSentence(describeView(model, viewOf(model)));
  const legend = element("p", { className: "runs-legend", hidden: runs.length < 2 });
  legend.append(...runs.map((run, number) => runKey(run.name, number, runs.length)));
  const picture = frame(
    "timing-explorer",
    "Recorded times",
    element("div", { className: "controls" }, ...Object.values(menus)),
    element("div", { className: "controls", role: "group", ariaLabel: "Models" }, ...boxes),
    legend,
    plot,
    sentence,
    table,
    ...runs.map((run) => machineCard(run, alike)),
  );

  const show = () => {
    const view = viewOf(model);
    const alikeIn = (names) => views.filter((other) => names.every((n) => other[n] === view[n]));
    fill(menus.what.select, texts("what", views), view.what);
    fill(menus.over.select, texts("over", alikeIn(["what"])), view.over);
    fill(menus.at.select, texts("at", alikeIn(["what", "over"])), view.at);
    menus.at.hidden = view.at === "";
    menus.unit.select.value = model.get("unit");
    boxes.forEach((box, i) => {
      box.hidden = !view.lines.some((line) => line.variant === variants[i]);
      box.input.checked = model.get("variants").includes(variants[i]);
    });
    const unit = model.get("unit");
    const lines = shownLines(model, view).filter((line) => line[unit]);
    plot.replaceChildren(drawPlot(lines, view, unit, runs, plot.clientWidth || 640));
    table.replaceChildren(tableOf(lines, view, unit, runs));
    table.hidden = lines.length === 0;
    sentence.say(describeView(model, view));
  };
  return { picture, show };
}

const pick = ({ what, over, at }) => ({ what, over, at });
const pairs = (texts) => texts.map((text) => [text, text]);

// Gives a menu its options; one that has them already keeps them, and with them the focus.
function fill(select, texts, value) {
  if ([...select.options].map((option) => option.value).join("\n") !== texts.join("\n")) {
    select.replaceChildren(...texts.map((text) => new Option(text, text)));
  }
  select.value = value;
}

function variantBox(variant, onInput) {
  const input = keepKeys(element("input", { type: "checkbox" }));
  listen(input, "change", () => onInput(input.checked));
  const node = element("label", { className: "control" }, input, swatch(variant), variant);
  return Object.assign(node, { input });
}

// ---- plot ----

// The first of the runs steps back, hollow and pale, when another lies over it.
const stepsBack = (run, count) => run < count - 1;

// Gives a node the colour of its model, and says whether its run steps back.
function dress(node, variant, back = false) {
  node.classList.add("ink");
  node.dataset.model = variant.split(",")[0];
  if (back) node.classList.add("back");
  return node;
}

function marker(variant, x, y, title) {
  const [d] = LOOKS[variant] ?? [CIRCLE];
  const shape = drawing("path", { class: "marker", d, transform: `translate(${x} ${y})` });
  if (title) shape.append(drawing("title", {}, title));
  return shape;
}

function stroke(variant, x1, y1, x2, y2) {
  const dashes = LOOKS[variant]?.[1] ?? "";
  return drawing("line", { class: "stroke", "stroke-dasharray": dashes, x1, y1, x2, y2 });
}

function swatch(variant, back = false) {
  const parts = [stroke(variant, 0, 8, 36, 8), marker(variant, 18, 8)];
  const attributes = { class: "swatch", viewBox: "0 0 36 16", "aria-hidden": "true" };
  return dress(drawing("svg", attributes, ...parts), variant, back);
}

function runKey(name, number, count) {
  const back = stepsBack(number, count);
  const key = drawing("svg", { class: "swatch", viewBox: "0 0 36 16", "aria-hidden": "true" });
  key.append(stroke("parallel", 0, 8, 36, 8), marker("parallel", 18, 8));
  key.classList.add("ink", ...(back ? ["back"] : []));
  return element("span", { className: "control" }, key, `${name}: ${back ? "hollow" : "filled"}`);
}

// Round numbers within low..high: of the series that are tried, the first that gives three.
const FIRST_DIGITS = [[1], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 7]];
FIRST_DIGITS.push(Array.from({ length: 18 }, (_, i) => 1 + i / 2));
FIRST_DIGITS.push(Array.from({ length: 90 }, (_, i) => 1 + i / 10));

function roundNumbers(low, high) {
  const [first, last] = [low, high].map((value) => Math.floor(Math.log10(value)));
  const powers = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  let found;
  for (const digits of FIRST_DIGITS) {
    found = powers.flatMap((power) => digits.map((digit) => digit * power));
    found = found.filter((value) => value >= low && value <= high);
    if (found.length >= 3) break;
  }
  return found;
}

const logScale = (low, high, from, to) => (value) =>
  from + ((to - from) * Math.log(value / low)) / Math.log(high / low);

function drawPlot(lines, view, unit, runs, width) {
  const named = width >= 560; // room for names at the lines
  const height = Math.max(260, Math.min(400, 0.55 * width));
  const box = { left: 72, right: width - (named ? 190 : 14), top: 26, bottom: height - 46 };
  const label = `${describeAxes(view, unit)}. The table below has the numbers.`;
  const svg = drawing("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.ariaLabel = label;
  if (lines.length === 0) {
    const why = unit === UNITS[2] ? "Nothing to show: no parallel model was timed here." : "";
    const at = { x: width / 2, y: height / 2, "text-anchor": "middle" };
    svg.append(drawing("text", at, why || "Nothing to show: choose a model above."));
    return svg;
  }

  const points = lines.flatMap((line) => line[unit].points);
  const sizes = [...new Set(points.map(([size]) => size))].sort((a, b) => a - b);
  const ends = lines.flatMap((line) => line[unit].ends ?? []);
  const values = [...points.flatMap(([, ...quartiles]) => quartiles), ...ends];
  const margin = 1.12; // so that the outermost markers stand clear of the frame
  const x = logScale(sizes[0] / margin, sizes.at(-1) * margin, box.left, box.right);
  const [low, high] = [Math.min(...values) / margin, Math.max(...values) * margin];
  const y = logScale(low, high, box.bottom, box.top);

  svg.append(...axesOf(box, sizes, x, roundNumbers(low, high), y, view, unit));
  if (named) svg.append(...namesOf(lines, unit, x, y, box, runs)); // below the markers
  for (const line of lines) svg.append(drawLine(line, unit, x, y, view.over, runs));
  return svg;
}

function axesOf(box, sizes, x, ticks, y, view, unit) {
  const parts = [];
  ticks.forEach((value) => {
    const at = { x1: box.left, x2: box.right, y1: y(value), y2: y(value), class: "grid" };
    const place = { x: box.left - 8, y: y(value), dy: "0.35em", "text-anchor": "end" };
    parts.push(drawing("line", at), drawing("text", place, short(value)));
  });
  let free = -Infinity; // numbers that would touch the one before are left out
  sizes.forEach((size) => {
    const at = { x1: x(size), x2: x(size), y1: box.bottom, y2: box.bottom + 5, class: "tick" };
    parts.push(drawing("line", at));
    const half = 5 * String(size).length;
    if (x(size) - half < free) return;
    free = x(size) + half;
    const place = { x: x(size), y: box.bottom + 19, "text-anchor": "middle" };
    parts.push(drawing("text", place, size));
  });
  const floor = { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "tick" };
  const below = { x: (box.left + box.right) / 2, y: box.bottom + 40, "text-anchor": "middle" };
  const middle = (box.top + box.bottom) / 2;
  const beside = { transform: `translate(14 ${middle}) rotate(-90)`, "text-anchor": "middle" };
  parts.push(drawing("line", floor));
  parts.push(drawing("text", { ...below, class: "axis" }, SIZE_NAMES[view.over]));
  parts.push(drawing("text", { ...beside, class: "axis" }, unitName(view, unit)));
  return parts;
}

function unitName(view, unit) {
  if (unit === UNITS[2]) return "times the parallel model's time";
  if (unit === UNITS[1]) return unit;
  return view.what === "training" ? "seconds a training step" : "seconds to generate";
}

function drawLine(line, unit, x, y, over, runs) {
  const { points, ends } = line[unit];
  const back = stepsBack(line.run, runs.length);
  const group = dress(drawing("g", { class: "line" }), line.variant, back);
  if (ends) {
    const [first, last] = [points[0][0], points.at(-1)[0]];
    group.append(stroke(line.variant, x(first), y(ends[0]), x(last), y(ends[1])));
  }
  for (const [size, middle, low, high] of points) {
    const bar = { class: "bar", x1: x(size), x2: x(size), y1: y(low), y2: y(high) };
    const title = `${line.variant}, ${runs[line.run].name}, ${over} ${size}: ${short(middle)} ${unit}`;
    group.append(drawing("line", bar), marker(line.variant, x(size), y(middle), title));
  }
  return group;
}

// The name and slope of each line at its right end, moved apart where they would overlap.
function namesOf(lines, unit, x, y, box, runs) {
  const gap = 17;
  const names = lines.map((line) => {
    const { points, ends, slope } = line[unit];
    const own = runs.length > 1 && line.run === runs.length - 1 ? ", own" : "";
    const text = `${line.variant}${own}${slope === null ? "" : ` ${fixedSlope(slope)}`}`;
    return { line, text, at: y(ends ? ends[1] : points.at(-1)[1]), end: x(points.at(-1)[0]) };
  });
  names.sort((a, b) => a.at - b.at);
  let free = box.top;
  for (const name of names) free = (name.place = Math.max(name.at, free)) + gap;
  free = box.bottom;
  for (const name of [...names].reverse()) free = (name.place = Math.min(name.place, free)) - gap;
  const title = { x: box.right + 10, y: 10, class: "axis" };
  const labels = names.flatMap(({ line, text, at, end, place }) => {
    const back = stepsBack(line.run, runs.length);
    const left = box.right + 10;
    const lead = { class: "lead", x1: end + 8, y1: at, x2: left - 3, y2: place };
    const label = drawing("text", { x: left, y: place, dy: "0.35em", class: "name" }, text);
    return [dress(drawing("line", lead), line.variant, back), dress(label, line.variant, back)];
  });
  return [drawing("text", title, "model and slope"), ...labels];
}

// ---- table ----

function tableOf(lines, view, unit, runs) {
  const points = lines.flatMap((line) => line[unit].points);
  const sizes = [...new Set(points.map(([size]) => size))].sort((a, b) => a - b);
  const column = (text) => element("th", { scope: "col", textContent: text });
  const rows = lines.map((line) => {
    const back = stepsBack(line.run, runs.length);
    const head = element("th", { scope: "row" }, swatch(line.variant, back), line.variant);
    if (runs.length > 1) head.append(element("small", { textContent: runs[line.run].name }));
    const cells = sizes.map((size) => {
      const point = line[unit].points.find(([other]) => other === size);
      if (!point) return element("td", { textContent: "\u2013" });
      const [, middle, low, high] = point;
      const number = element("data", { value: middle, textContent: short(middle, 3) });
      const quartiles = `${short(low, 2)} to ${short(high, 2)}`;
      return element("td", {}, number, element("small", { textContent: quartiles }));
    });
    const { slope } = line[unit];
    const last = element("td", { className: "slope", textContent: "\u2013" });
    if (slope !== null) {
      last.replaceChildren(element("data", { value: slope, textContent: fixedSlope(slope) }));
    }
    return element("tr", {}, head, ...cells, last);
  });
  const quartiles = element("span", { textContent: " (small: quartiles)" });
  const caption = element("caption", {}, `Median ${unit}`, quartiles);
  caption.append(`, by ${view.over}; slope of the fitted line`);
  return element(
    "table",
    {},
    caption,
    element("thead", {}, element("tr", {}, column("model"), ...sizes.map(column), column("slope"))),
    element("tbody", {}, ...rows),
  );
}

function machineCard({ name, machine }, alike) {
  const text = `${[machine, alike].filter(Boolean).join("; ")}.`;
  return element("p", { className: "machine" }, element("b", {}, `${capital(name)}: `), text);
}

// ---- words: the same as in timing_explorer.py ----

const capital = (text) => text[0].toUpperCase() + text.slice(1);
// Adding 0 makes a zero of a negative one.
const fixedSlope = (slope) => withMinus((Math.round(slope * 100) / 100 + 0).toFixed(2));

const twoDigits = (value) => (value < 99.5 ? value.toPrecision(2) : String(Math.round(value)));

function say(size, number) {
  if (["tokens", "layers", "heads"].includes(size)) {
    return `${number} ${number === 1 ? size.slice(0, -1) : size}`;
  }
  return `${size} ${number}`;
}

function describeAxes(view, unit) {
  const at = view.at ? ` (${view.at})` : "";
  return `${capital(view.what)}, ${unit} against ${view.over}${at}`;
}

function describeView(model, view) {
  const said = model.get("plots").runs.map(({ name }, number) => {
    const lines = shownLines(model, view).filter((line) => line.run === number);
    return lines.length ? compare(name, lines, view.over, model.get("unit")) : "";
  });
  const parts = said.filter(Boolean);
  if (parts.length === 0) parts.push("No model is chosen.");
  return `${describeAxes(view, model.get("unit"))}. ${parts.join(" ")}`;
}

// Who is quickest at the largest size of a run, by how much, and the slopes of the lines.
function compare(run, lines, over, unit) {
  const last = lines.map((line) => ({ line, point: line.seconds.points.at(-1) }));
  const size = Math.max(...last.map(({ point }) => point[0]));
  const there = last.filter(({ point }) => point[0] === size);
  there.sort((a, b) => a.point[1] - b.point[1]);
  const [{ line: quickest, point: best }, ...others] = there;
  const rivals = others.filter(({ point }) => point[2] <= best[3]).map(({ line }) => line.variant);
  let verdict = `${quickest.variant} is the quickest.`;
  if (others.length === 0) verdict = `${quickest.variant} takes ${twoDigits(best[1])} seconds.`;
  else if (rivals.length > 0) {
    const names = [quickest.variant, ...rivals];
    const last = names.pop();
    verdict = `no winner, the quartiles of ${names.join("; ")} and ${last} overlap.`;
  }
  const parts = [`${capital(run)}, at ${say(over, size)}: ${verdict}`];
  if (others.length > 0) {
    const base = there.find(({ line }) => line.variant === "parallel") ?? there[0];
    const times = there
      .filter((each) => each !== base)
      .map(({ line, point }) => `${line.variant} ${twoDigits(point[1] / base.point[1])}`);
    parts.push(`Times as long as ${base.line.variant}: ${times.join("; ")}.`);
  }
  const slopes = lines
    .filter((line) => (line[unit]?.slope ?? null) !== null)
    .map((line) => `${line.variant} ${fixedSlope(line[unit].slope)}`);
  if (slopes.length > 0) parts.push(`Slopes: ${slopes.join("; ")}.`);
  return parts.join(" ");
}
