// The memory vector of one step as a weighted sum of what each layer put out (chapter 4).
//
// outputs[l] is the output of layer l (0 is the embedding); weights[l] >= 0, and they sum to 1.
// history, if there is one, holds [step, weights] pairs: how training moved the weights.
// Beside a kernel `model` is an anywidget model; in the built book, the one of _static/widgets.js.

export default widget(({ model, el }) => {
  let picture;
  const draw = guarded(el, () => {
    picture?.end();
    picture = buildPicture(model);
    el.replaceChildren(picture.node);
    picture.show();
  });
  draw();
  const offs = [
    onChange(model, ["outputs", "labels", "history"], draw),
    onChange(model, ["weights"], guarded(el, () => picture.show())),
  ];
  return () => {
    offs.forEach((off) => off());
    picture?.end();
  };
});

// ---- numbers ----

function mixture(outputs, weights) {
  return outputs[0].map((_, i) => outputs.reduce((sum, row, l) => sum + weights[l] * row[i], 0));
}

const onlyLayer = (weights, index) => weights.map((_, l) => (l === index ? 1 : 0));
const areEqual = (some, others) => some.every((weight, l) => Math.abs(weight - others[l]) < 5e-4);

// Weights that a button sets, with the button's text.
function presetsOf(model) {
  const weights = model.get("weights");
  const learned = model.get("learned");
  return [
    ...(learned ? [["Learned", learned]] : []),
    ["Equal", weights.map(() => 1 / weights.length)],
    ["Last layer only", onlyLayer(weights, weights.length - 1)],
    ["Embedding only", onlyLayer(weights, 0)],
  ];
}

// ---- picture ----

// Builds the picture for the model's outputs; `show` brings it up to date with the model's weights.
function buildPicture(model) {
  const outputs = model.get("outputs");
  const labels = model.get("labels");
  const history = model.get("history");
  const largest = Math.max(...outputs.map((row) => Math.max(...row.map(Math.abs)))) || 1;
  const setWeights = (weights) => {
    model.set("weights", weights);
    model.save_changes();
  };
  const replay = history && buildReplay(history, labels, setWeights);
  // What the reader sets ends the replay, which would take it back at once.
  const choose = (weights) => {
    replay?.stop();
    setWeights(weights);
  };

  const bars = labels.map((label, l) =>
    slider(`weight of ${label}`, {}, (value) => choose(withWeight(model.get("weights"), l, value))),
  );
  const numbers = labels.map(() => element("data", { className: "weight" }));
  const lines = labels.map((label, l) => {
    const strip = stripOfCells(outputs[l].length);
    paint(strip, outputs[l], largest, `output of ${label}`);
    const parts = [name(label, term("x", l)), bars[l], numbers[l], strip];
    return element("div", { className: "line", style: depthStyle(l, labels) }, ...parts);
  });

  const memory = stripOfCells(outputs[0].length);
  const formula = element("p", { className: "formula" });
  const sentence = liveSentence(describe(labels, model.get("weights")));
  const presets = presetsOf(model).map(([text, weights]) => [
    button(text, () => choose(weights)),
    weights,
  ]);
  const buttons = element(
    "div",
    { className: "presets", role: "group", ariaLabel: "Weights to set" },
    ...presets.map(([node]) => node),
  );

  const node = frame(
    "layer-memory-weights",
    "Layer weights of the memory",
    element("div", { className: "controls" }, buttons, legend(largest)),
    ...lines,
    element("div", { className: "line memory" }, name("memory", term("m")), formula, memory),
    ...(replay ? [replay.node] : []),
    sentence,
  );

  const show = () => {
    const weights = model.get("weights");
    weights.forEach((weight, l) => {
      bars[l].value = weight;
      bars[l].ariaValueText = `${percent(weight)} percent`;
      bars[l].style.setProperty("--part", weight);
      numbers[l].value = weight;
      numbers[l].textContent = weight.toFixed(3);
    });
    for (const [node, preset] of presets) node.ariaPressed = areEqual(weights, preset);
    paint(memory, mixture(outputs, weights), largest, "memory");
    formula.replaceChildren(...formulaOf(weights));
    replay?.show(weights);
    sentence.say(describe(labels, weights));
  };
  return { node, show, end: () => replay?.end() };
}

// A layer has one colour in its bar and in the chart: from grey for the embedding upwards.
const depthStyle = (l, labels) => ({ "--depth": `${(100 * l) / (labels.length - 1)}%` });

function stripOfCells(count) {
  const cells = Array.from({ length: count }, () => element("span"));
  const className = count > 32 ? "strip dense" : "strip";
  return element("div", { className, role: "img" }, ...cells);
}

// Colours each cell by its value: the style sheet mixes the colour from the sign and the share.
function paint(strip, values, largest, label) {
  const [lowest, highest] = [Math.min(...values), Math.max(...values)].map((value) => short(value));
  strip.ariaLabel = `${label}: ${values.length} features, from ${lowest} to ${highest}`;
  values.forEach((value, i) => {
    const cell = strip.children[i];
    cell.dataset.sign = value < 0 ? "negative" : "positive";
    cell.style.setProperty("--share", `${(100 * Math.abs(value)) / largest}%`);
    cell.title = `${label}, feature ${i + 1}: ${short(value)}`;
  });
}

function name(label, symbol) {
  return element("span", { className: "name" }, `${label} `, symbol);
}

// x with the layer above and the step below, as in the chapter's equation.
function term(letter, layer) {
  const parts = [element("sub", { textContent: "t" })];
  if (layer !== undefined) parts.push(element("sup", { textContent: layer }));
  return element("var", {}, letter, ...parts);
}

function formulaOf(weights) {
  const parts = [term("m"), " = "];
  weights.forEach((weight, l) => {
    // A term stays in one piece where the line breaks.
    const sign = l > 0 ? "+ " : "";
    parts.push(element("span", {}, `${sign}${weight.toFixed(3)} `, term("x", l)), " ");
  });
  return parts;
}

function legend(largest) {
  const scale = element("span", { className: "scale" });
  return element("div", { className: "legend" }, short(-largest), scale, short(largest));
}

// ---- replay ----

// A player over the lines of the history, and a chart of their weights that marks where it is.
function buildReplay(history, labels, setWeights) {
  const toStep = (i) => setWeights(history[i][1]);
  const last = history.length - 1;
  const size = { count: history.length, value: last, perSecond: 8, from: 0 };
  const play = player("step of training", size, toStep);
  const step = element("span", { className: "step" });
  play.append(step);
  const place = element("div", { className: "chart", role: "img" });
  place.ariaLabel = describeHistory(history, labels);
  let chart;
  let now = last;
  const off = onWidth(place, (width) => {
    chart = drawChart(width, history, labels);
    place.replaceChildren(chart.node);
    chart.mark(now);
  });

  // Marks the line of the history that has these weights, if one has.
  const show = (weights) => {
    const near = nearest(history, weights);
    now = areEqual(weights, history[near][1]) ? near : undefined;
    if (now !== undefined) play.input.value = now;
    step.textContent = now === undefined ? "your own weights" : stepName(history[now][0]);
    play.input.ariaValueText = step.textContent;
    chart?.mark(now);
  };
  const end = () => {
    play.stop();
    off();
  };
  const heading = element("p", { className: "heading", textContent: "How training moved them" });
  const node = element("div", { className: "replay" }, heading, play, place);
  return { node, show, stop: play.stop, end };
}

const stepName = (step) => `step ${step.toLocaleString("en")}`;

function nearest(history, weights) {
  const distances = history.map(([, line]) => Math.hypot(...line.map((w, l) => w - weights[l])));
  return distances.indexOf(Math.min(...distances));
}

// Lines differ in colour, in their dashes and in the label at their end.
const DASHES = ["", "7 3", "2 3", "10 3 2 3", "14 4"];
const [TOP, BOTTOM, LEFT, LABEL] = [8, 28, 44, 16]; // pixels; LABEL is the height of a label

function drawChart(width, history, labels) {
  const height = 200;
  const steps = history.map(([step]) => step);
  const highest = Math.ceil(10 * Math.max(...history.flatMap(([, line]) => line))) / 10;
  const right = width - 12 - 8 * Math.max(...labels.map((label) => label.length));
  const x = (step) => LEFT + ((step - steps[0]) / (steps.at(-1) - steps[0])) * (right - LEFT);
  const y = (weight) => height - BOTTOM - (weight / highest) * (height - BOTTOM - TOP);
  const svg = drawing("svg", { viewBox: `0 0 ${width} ${height}`, height });
  const text = (content, attributes) => {
    const node = drawing("text", attributes);
    node.textContent = content;
    svg.append(node);
  };

  const gap = highest > 0.5 ? 0.2 : 0.1;
  for (let weight = 0; weight <= highest + 1e-9; weight += gap) {
    svg.append(drawing("path", { class: "grid", d: `M${LEFT} ${y(weight)}H${right}` }));
    text(`${percent(weight)} %`, { x: LEFT - 6, y: y(weight) + 4, "text-anchor": "end" });
  }
  for (const step of [steps[0], steps.at(-1)]) {
    const attributes = { x: x(step), y: height - BOTTOM + 18, "text-anchor": "middle" };
    text(step.toLocaleString("en"), attributes);
  }
  text("step", { x: (LEFT + right) / 2, y: height - BOTTOM + 18, "text-anchor": "middle" });

  const ends = spread(history.at(-1)[1].map(y), TOP, height - BOTTOM);
  const dots = labels.map((label, l) => {
    const points = history.map(([step, line]) => `${x(step)} ${y(line[l])}`);
    const style = `--depth: ${depthStyle(l, labels)["--depth"]}`;
    const dashes = DASHES[l % DASHES.length];
    const d = `M${points.join("L")}`;
    svg.append(drawing("path", { class: "weights", style, d, "stroke-dasharray": dashes }));
    text(label, { class: "label", style, x: right + 8, y: ends[l] + 4 });
    return drawing("circle", { style, r: 4 });
  });
  const marker = drawing("path", { class: "marker" });
  const now = drawing("g", { class: "now" }, marker, ...dots);
  svg.append(now);

  const mark = (i) => {
    now.setAttribute("visibility", i === undefined ? "hidden" : "visible");
    if (i === undefined) return;
    const [step, line] = history[i];
    marker.setAttribute("d", `M${x(step)} ${TOP}V${height - BOTTOM}`);
    dots.forEach((dot, l) => {
      dot.setAttribute("cx", x(step));
      dot.setAttribute("cy", y(line[l]));
    });
  };
  return { node: svg, mark };
}

// Heights for labels, as near to those given as they can be without overlap.
function spread(heights, top, bottom) {
  const order = heights.map((_, l) => l).sort((a, b) => heights[a] - heights[b]);
  const placed = [...heights];
  order.forEach((l, i) => {
    if (i > 0) placed[l] = Math.max(placed[l], placed[order[i - 1]] + LABEL);
  });
  let limit = bottom;
  for (const l of order.reverse()) {
    placed[l] = Math.min(placed[l], limit);
    limit = placed[l] - LABEL;
  }
  return placed.map((height) => Math.max(height, top));
}

// ---- words ----

function shares(labels, weights) {
  return labels.map((label, l) => `${percent(weights[l])}\u00a0% ${label}`).join(", ");
}

function describe(labels, weights) {
  return `Memory: ${shares(labels, weights)}.`;
}

function describeHistory(history, labels) {
  const [[first, before], [last, after]] = [history[0], history.at(-1)];
  return (
    `From ${stepName(first)} to ${stepName(last)} training moved the weights from ` +
    `${shares(labels, before)} to ${shares(labels, after)}.`
  );
}
