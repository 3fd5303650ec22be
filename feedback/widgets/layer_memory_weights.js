// The memory vector of one step as a weighted sum of what each layer put out (chapter 4).
//
// outputs[l] is the output of layer l (0 is the embedding); weights[l] >= 0, and they sum to 1.
// Beside a kernel `model` is an anywidget model; in the built book, the one of _static/widgets.js.

export default widget(({ model, el }) => {
  let showWeights;
  const draw = guarded(el, () => {
    const { picture, show } = buildPicture(model);
    el.replaceChildren(picture);
    showWeights = show;
    showWeights();
  });
  draw();
  const offs = [
    onChange(model, ["outputs", "labels"], draw),
    onChange(model, ["weights"], guarded(el, () => showWeights())),
  ];
  return () => offs.forEach((off) => off());
});

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

  const sliders = labels.map((label, l) =>
    slider(`weight of ${label}`, {}, (value) =>
      setWeights(withWeight(model.get("weights"), l, value)),
    ),
  );
  const numbers = labels.map(() => element("data", { className: "weight" }));
  const lines = labels.map((label, l) => {
    const strip = stripOfCells(outputs[l].length);
    paint(strip, outputs[l], largest, `output of ${label}`);
    const parts = [name(label, term("x", l)), sliders[l], numbers[l], strip];
    return element("div", { className: "line" }, ...parts);
  });

  const memory = stripOfCells(outputs[0].length);
  const formula = element("p", { className: "formula" });
  const sentence = liveSentence(describe(labels, model.get("weights")));
  const equal = button("Equal weights", () => setWeights(labels.map(() => 1 / labels.length)));

  const picture = frame(
    "layer-memory-weights",
    "Layer weights of the memory",
    element("div", { className: "controls" }, equal, legend(largest)),
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
    sentence.say(describe(labels, weights));
  };
  return { picture, show };
}

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

// ---- words ----

function describe(labels, weights) {
  const parts = labels.map((label, l) => `${percent(weights[l])}\u00a0% ${label}`);
  return `Memory: ${parts.join(", ")}.`;
}
