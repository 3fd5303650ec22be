// The memory vector of one step as a weighted sum of what each layer put out (chapter 4).
//
// Shown are a slider, a number and a strip of coloured cells for each layer, the memory that they
// mix, and a sentence. The state is `weights`, which are not negative and sum to 1; outputs[l] is
// the output of layer l (0 is the embedding). With a `history` of [step, weights], the player of
// layer_memory_weights.replay.js shows how training moved them. What is computed stands in
// layer_memory_weights.numbers.js.

import { button, slider } from "./base.controls.js";
import { guarded, onChange, save, widget } from "./base.life.js";
import { percent, short, withWeight } from "./base.numbers.js";
import { element, frame, liveSentence } from "./base.page.js";
import { areEqual, describe, mixture, onlyLayer } from "./layer_memory_weights.numbers.js";
import { buildReplay, depthStyle } from "./layer_memory_weights.replay.js";

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
    onChange(
      model,
      ["weights"],
      guarded(el, () => picture.show()),
    ),
  ];
  return () => {
    offs.forEach((off) => off());
    picture?.end();
  };
});

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

// Builds the picture for the model's outputs; `show` brings it up to date with the model's weights.
function buildPicture(model) {
  const outputs = model.get("outputs");
  const labels = model.get("labels");
  const history = model.get("history");
  const largest = Math.max(...outputs.map((row) => Math.max(...row.map(Math.abs)))) || 1;
  const setWeights = (weights) => save(model, { weights });
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
