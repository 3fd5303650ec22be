// The form in which a reader answers: choices, a number, or a slider.

import { button, keepKeys, numberField, slider } from "./base.controls.js";
import { listen } from "./base.life.js";
import { element } from "./base.page.js";
import { readable, scaleOf, shown } from "./predict_then_reveal.numbers.js";

export function form(model, reveal) {
  const { node, guess } = model.get("choices")
    ? choiceControl(model)
    : model.get("low") === null
      ? numberControl(model, reveal)
      : sliderControl(model);
  const parts = [node, button("Reveal", () => reveal(guess()))];
  return element("div", { className: "ask" }, ...parts);
}

function choiceControl(model) {
  const name = `choice-${Math.random()}`; // ties the choices of this question together
  const inputs = model.get("choices").map((value) => {
    const checked = value === model.get("guess");
    return keepKeys(element("input", { type: "radio", name, value, checked }));
  });
  const labels = inputs.map((input) => element("label", {}, input, input.value));
  const node = element("fieldset", { ariaLabel: "Your guess" }, ...labels);
  return { node, guess: () => inputs.find((input) => input.checked)?.value ?? null };
}

function numberControl(model, reveal) {
  const unit = model.get("unit");
  const input = numberField({ step: "any" });
  input.value = model.get("guess") ?? "";
  const guess = () => (input.value === "" ? null : Number(input.value) + 0); // no minus before 0
  listen(input, "keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // or it presses the button that has the focus by then
    reveal(guess());
  });
  const node = element("label", { className: "control" }, "Your guess: ", input, unit);
  return { node, guess };
}

// The slider begins in the middle, which is no guess before the reader has moved it.
function sliderControl(model) {
  const { valueAt, partOf, step } = scaleOf(model);
  let guess = model.get("guess");
  const readout = element("output");
  const show = () => {
    readout.textContent = guess === null ? "move the slider" : shown(model, guess);
    input.ariaValueText = readout.textContent;
  };
  const value = guess === null ? 0.5 : partOf(guess);
  const input = slider("your guess", { step, value }, (part) => {
    guess = valueAt(part);
    show();
  });
  show();
  const [low, high] = ["low", "high"].map((end) => readable(model.get(end)));
  const ends = [element("span", {}, low), element("span", {}, high)];
  const node = element(
    "div",
    { className: "on-slider" },
    element("div", {}, "Your guess: ", readout),
    input,
    element("div", { className: "scale" }, ...ends),
  );
  return { node, guess: () => guess };
}
