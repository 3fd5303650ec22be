// How far each pass moved each memory vector: passes downwards, tokens to the right, and the darker
// the farther. What is left of the line is exact for certain.

import { label } from "./base.axes.js";
import { range } from "./base.numbers.js";
import { drawing, element } from "./base.page.js";

// A shade for each power of ten, from the farthest on.
const SHADES = [
  [0.1, "over 0.1"],
  [0.01, "0.01 to 0.1"],
  [0.001, "0.001 to 0.01"],
  [0.0001, "0.0001 to 0.001"],
];
const [ROW, LEFT, RIGHT, TOP, BOTTOM] = [5, 44, 14, 4, 36]; // pixels

export function drawMap(title, course, { passes }, most, width) {
  const count = course.words.length;
  const column = (width - LEFT - RIGHT) / count;
  const x = (token) => (LEFT + token * column).toFixed(1);
  const y = (pass) => TOP + (pass - 1) * ROW; // the upper edge of a pass's row
  const [right, bottom] = [width - RIGHT, TOP + most * ROW];
  const moved = range(1, passes + 1).map(course.moved);

  const shades = SHADES.map(([least], level) => {
    const under = level === 0 ? Infinity : SHADES[level - 1][0];
    const isShaded = (far) => far > least && far <= under;
    const boxes = moved.flatMap((row, i) =>
      runsOf(row, isShaded).map(
        ([from, to]) => `M${x(from)} ${y(i + 1)}H${x(to)}V${y(i + 2)}H${x(from)}Z`,
      ),
    );
    return drawing("path", { class: "shade", "data-level": level, d: boxes.join("") });
  });
  const edge = range(1, Math.min(most, count) + 1).map((pass) => `H${x(pass)}V${y(pass + 1)}`);
  const ticks = (name, places, at) =>
    [...new Set(places)].map((place) => label(name, ...at(place), place));
  const quarters = [1, most / 4, most / 2, (3 * most) / 4, most];
  const name =
    `${title}: how far passes 1 to ${passes} moved the memory vectors of ${count} tokens; ` +
    `pass ${passes} moved one by ${far(Math.max(...moved.at(-1)))} of its length`;
  const height = bottom + BOTTOM;
  return drawing(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": name },
    drawing("rect", { class: "paper", x: LEFT, y: TOP, width: right - LEFT, height: most * ROW }),
    ...shades,
    drawing("path", { class: "edge", d: `M${LEFT} ${TOP}${edge.join("")}` }),
    drawing("rect", {
      class: "now",
      x: LEFT - 1,
      y: y(passes) - 1,
      width: right - LEFT + 2,
      height: ROW + 2,
    }),
    ...ticks("tick beside", quarters, (pass) => [LEFT - 6, y(pass) + ROW / 2]),
    ...ticks("tick", [1, Math.ceil(count / 2), count], (token) => [x(token - 0.5), bottom + 14]),
    label("axis", (LEFT + right) / 2, bottom + 32, "token"),
    label("axis", 0, 0, "pass", { transform: `translate(9 ${(TOP + bottom) / 2}) rotate(-90)` }),
  );
}

// Where the runs of values that are meant begin and end.
function runsOf(values, isMeant) {
  const runs = [];
  values.forEach((value, i) => {
    if (!isMeant(value)) return;
    if (runs.at(-1)?.[1] === i) runs.at(-1)[1] = i + 1;
    else runs.push([i, i + 1]);
  });
  return runs;
}

const far = (moved) =>
  moved < 0.0001 ? "less than 0.0001" : `up to ${Number(moved.toPrecision(2))}`;

// What the shades stand for.
export function shadesKey() {
  const swatches = SHADES.map(([, words], level) => {
    const swatch = element("span", { className: "swatch", data: { level }, ariaHidden: "true" });
    return element("span", {}, swatch, words);
  });
  const edge = element("span", { className: "swatch edge", ariaHidden: "true" });
  return element(
    "p",
    { className: "counts key" },
    element("span", {}, "A pass moved a memory vector, in parts of its length:"),
    ...swatches,
    element("span", {}, edge, "left of this line: exact for certain"),
  );
}
