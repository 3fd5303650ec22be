// The memory vector of one step as a weighted sum of what each layer put out (chapter 4).
//
// outputs[l] is the output of layer l (0 is the embedding); weights[l] >= 0, and they sum to 1.
// Beside a kernel `model` is an anywidget model; in the built book, the one of _static/widgets.js.

export default { render };

function render({ model, el }) {
  let showWeights;
  const draw = () => {
    const { picture, show } = buildPicture(model);
    el.replaceChildren(picture);
    showWeights = show;
    showWeights();
  };
  const drawOrSayWhy = messageOnError(el, draw);
  const showOrSayWhy = messageOnError(el, () => showWeights());

  drawOrSayWhy();
  model.on("change:outputs", drawOrSayWhy);
  model.on("change:labels", drawOrSayWhy);
  model.on("change:weights", showOrSayWhy);
  return () => {
    model.off("change:outputs", drawOrSayWhy);
    model.off("change:labels", drawOrSayWhy);
    model.off("change:weights", showOrSayWhy);
  };
}

// ---- numbers ----

function mixture(outputs, weights) {
  return outputs[0].map((_, i) => outputs.reduce((sum, row, l) => sum + weights[l] * row[i], 0));
}

// Sets one weight and scales the others in proportion, so that all still sum to 1.
function withWeight(weights, index, value) {
  const others = weights.reduce((sum, weight, l) => (l === index ? sum : sum + weight), 0);
  return weights.map((weight, l) => {
    if (l === index) return value;
    return others > 0 ? (weight / others) * (1 - value) : (1 - value) / (weights.length - 1);
  });
}

// ---- picture ----

// Builds the picture for the model's outputs; `show` brings it up to date with the model's weights.
function buildPicture(model) {
  const outputs = model.get("outputs");
  const labels = model.get("labels");
  const largest = Math.max(...outputs.map((row) => Math.max(...row.map(Math.abs)))) || 1;
  const setWeights = (weights) => {
    model.set("weights", weights);
    model.save_changes();
  };

  const sliders = labels.map((label, l) => {
    const onInput = (event) =>
      setWeights(withWeight(model.get("weights"), l, Number(event.target.value)));
    return slider(`weight of ${label}`, onInput);
  });
  const numbers = labels.map(() => element("data", { className: "weight" }));
  const lines = labels.map((label, l) => {
    const strip = stripOfCells(outputs[l].length);
    paint(strip, outputs[l], largest, `output of ${label}`);
    const parts = [name(label, term("x", l)), sliders[l], numbers[l], strip];
    return element("div", { className: "line" }, ...parts);
  });

  const memory = stripOfCells(outputs[0].length);
  const formula = element("p", { className: "formula" });
  const sentence = element("p", { className: "sentence", ariaLive: "polite" });
  const writeSentence = afterPause(() => {
    sentence.textContent = describe(labels, model.get("weights"));
  });

  const equal = element("button", { type: "button", textContent: "Equal weights" });
  equal.addEventListener("click", () => setWeights(labels.map(() => 1 / labels.length)));

  const picture = element(
    "div",
    { className: "layer-memory-weights", role: "group", ariaLabel: "Layer weights of the memory" },
    element("div", { className: "top" }, equal, legend(largest)),
    ...lines,
    element("div", { className: "line memory" }, name("memory", term("m")), formula, memory),
    sentence,
  );

  const show = () => {
    const weights = model.get("weights");
    weights.forEach((weight, l) => {
      sliders[l].value = weight;
      sliders[l].ariaValueText = `${percent(weight)} percent`;
      numbers[l].value = weight;
      numbers[l].textContent = weight.toFixed(3);
    });
    paint(memory, mixture(outputs, weights), largest, "memory");
    formula.replaceChildren(...formulaOf(weights));
    writeSentence();
  };
  sentence.textContent = describe(labels, model.get("weights"));
  return { picture, show };
}

function slider(label, onInput) {
  const input = element("input", { type: "range", min: 0, max: 1, step: 0.01, ariaLabel: label });
  input.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes the arrow keys for itself
  input.addEventListener("input", onInput);
  return input;
}

function stripOfCells(count) {
  const cells = Array.from({ length: count }, () => element("span"));
  const className = count > 32 ? "strip dense" : "strip";
  return element("div", { className, role: "img" }, ...cells);
}

// Colours each cell by its value: the style sheet mixes the colour from the sign and the share.
function paint(strip, values, largest, label) {
  const [lowest, highest] = [Math.min(...values), Math.max(...values)].map(short);
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

// ---- words ----

const percent = (weight) => Math.round(100 * weight);
const short = (value) => String(Number(value.toPrecision(4))).replace("-", "\u2212");

function describe(labels, weights) {
  const parts = labels.map((label, l) => `${percent(weights[l])}\u00a0% ${label}`);
  return `Memory: ${parts.join(", ")}.`;
}

// ---- page ----

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

// While a slider is dragged the sentence waits, so that a screen reader does not read every step.
function afterPause(action, milliseconds = 250) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds);
  };
}

// Wherever the widget runs, what goes wrong is said in its place.
function messageOnError(el, action) {
  return () => {
    try {
      action();
    } catch (error) {
      el.replaceChildren(`This widget could not be drawn: ${error.message}`);
      console.error(error);
    }
  };
}
