// The picture. Its parts are each built once and then brought up to date: `show` is given the tokens,
// the place that is looked at, and the record of what was computed there.

import { element, frame } from "./base.page.js";
import { attentionPart } from "./live_model.attention.js";
import { lossPart, nextPart } from "./live_model.chances.js";
import { layersPart } from "./live_model.layers.js";
import { lensPart } from "./live_model.lens.js";
import { controlsPart, promptPart } from "./live_model.settings.js";
import { textPart } from "./live_model.text.js";

export function buildView(model, alphabet, actions) {
  const prompt = promptPart(model, alphabet);
  const controls = controlsPart(model, alphabet, actions);
  const text = textPart(alphabet, actions);
  const layers = layersPart(model);
  const lens = lensPart(model, alphabet, actions);
  const attention = attentionPart(model, alphabet, actions);
  const chances = [nextPart(model, alphabet)];
  if (model.get("held_text")) chances.push(lossPart(model, alphabet));
  const above = [prompt, controls, text, layers, lens, attention];
  const parts = [...above, ...chances];
  return {
    picture: frame(
      "live-model",
      "A trained model that writes in this page",
      ...above.map(({ node }) => node),
      element("div", { className: "two" }, ...chances.map(({ node }) => node)),
    ),
    show: (now) => parts.forEach((part) => part.show?.(now)),
    showSettings: () => parts.forEach((part) => part.showSettings?.()),
    animate: layers.animate,
  };
}
