// A guess beside the truth: marked among the choices, or as two bars.

import { element } from "./base.page.js";
import { scaleOf, shown } from "./predict_then_reveal.numbers.js";

export function chosen(model) {
  const items = model.get("choices").map((choice) => {
    const right = choice === model.get("truth");
    const tags = [
      ...(choice === model.get("guess") ? ["your guess"] : []),
      ...(right ? ["the answer"] : []),
    ];
    const tag = element("span", { className: "tag", textContent: tags.join(", ") });
    return element("li", { className: right ? "right" : "" }, choice, tag);
  });
  return element("ul", {}, ...items);
}

// Guess and truth as two bars under one another.
export function compared(model) {
  const { partOf } = scaleOf(model);
  const pair = (name, kind) => {
    const value = model.get(kind);
    const style = { "--part": Math.min(1, Math.max(0, partOf(value))) };
    const bar = element("span", { className: "bar" }, element("span", { style }));
    const number = element("span", { className: "number", textContent: shown(model, value) });
    return element("div", { className: `pair ${kind}` }, element("span", {}, name), bar, number);
  };
  const pairs = [pair("your guess", "guess"), pair("computed", "truth")];
  return element("div", { className: "compare" }, ...pairs);
}
