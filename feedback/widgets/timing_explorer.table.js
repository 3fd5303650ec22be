// The numbers of the plot as a table.

import { short } from "./base.numbers.js";
import { element } from "./base.page.js";
import { stepsBack, swatch } from "./timing_explorer.looks.js";
import { fixedSlope } from "./timing_explorer.words.js";

export function tableOf(lines, view, unit, runs) {
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
