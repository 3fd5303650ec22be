// Three cups, as drawings.

import { range } from "./base.numbers.js";
import { drawing } from "./base.page.js";
import { CUPS, cupsOf } from "./patch_the_memory.numbers.js";

const HEIGHT = 48; // of the drawing of a step
const ROW = HEIGHT / 3;
const [STRANDS, CUP] = [10, 16];

// Three cups in a state, and before them what a shuffle did to their places, if one is given.
export function drawStep(state, token) {
  const middle = (place) => (place + 0.5) * ROW;
  const left = token === undefined ? 0 : STRANDS + 1;
  const places = token === undefined ? [] : range(0, 3);
  const strands = places.map((place) => {
    const to = Number(CUPS.words[token][place]);
    return drawing("line", {
      class: "strand",
      x1: 0,
      y1: middle(place),
      x2: STRANDS,
      y2: middle(to),
    });
  });
  const cups = Array.from(cupsOf(state)).flatMap((cup, place) => [
    drawing("rect", {
      class: `cup ${cup}`,
      x: left + 1,
      y: place * ROW + 1,
      width: CUP,
      height: ROW - 2,
      rx: 3,
    }),
    drawing("text", { class: `letter ${cup}`, x: left + 1 + CUP / 2, y: middle(place) }, cup),
  ]);
  return drawing(
    "svg",
    { viewBox: `0 0 ${left + CUP + 2} ${HEIGHT}`, "aria-hidden": "true" },
    ...strands,
    ...cups,
  );
}
