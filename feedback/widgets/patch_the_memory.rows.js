// The two rows: shuffles, cups, and the memory vectors between them.

import { keepKeys } from "./base.controls.js";
import { percent, range } from "./base.numbers.js";
import { element } from "./base.page.js";
import { drawStep } from "./patch_the_memory.cups.js";
import { createMoving } from "./patch_the_memory.moving.js";
import { cupsOf, goesOnFrom, READ, statesOf, TOTAL } from "./patch_the_memory.numbers.js";

const MARKS = { donor: "D", row: "R", neither: "\u2013" };
const SAYS = {
  donor: "goes on from the donor's state",
  row: "goes on from the row's own state",
  neither: "goes on from neither state",
};

// A line of steps; show(step, { token, state, share, goes }) draws one of them.
function stepsLine(count, name) {
  const cells = range(1, count + 1).map(() => {
    const [picture, number, whose] = ["picture", "number", "whose"].map((className) =>
      element("span", { className }),
    );
    const node = element("div", { className: "step", role: "img" }, picture, number, whose);
    return { node, picture, number, whose };
  });
  const show = (step, { token, state, share, goes, isChanged }) => {
    const { node, picture, number, whose } = cells[step - 1];
    picture.replaceChildren(drawStep(state, token));
    number.textContent = share === undefined ? "" : percent(share);
    whose.textContent = MARKS[goes] ?? "";
    node.toggleAttribute("data-changed", Boolean(isChanged));
    node.dataset.goes = goes ?? "";
    const said = [`step ${step}: ${cupsOf(state)}`];
    if (share !== undefined) said.push(`${percent(share)}\u00a0%`);
    if (goes) said.push(SAYS[goes]);
    node.ariaLabel = `${name}, ${said.join(", ")}`;
    node.title = said.join(", ");
  };
  return { nodes: cells.map(({ node }) => node), show };
}

const heading = (text, className = "heading") => element("p", { className, textContent: text });

// `state()` gives row, donor and put; `change` is called with another `put`.
export function rowsPart({ state, put, clear }) {
  const donor = stepsLine(READ, "donor");
  const found = stepsLine(TOTAL, "the row's answer");
  const without = stepsLine(TOTAL, "the answer as it would have been");
  const buttons = () =>
    range(1, READ + 1).map((step) =>
      keepKeys(element("button", { type: "button", className: "vector", textContent: `m${step}` })),
    );
  const [vectors, places] = [buttons(), buttons()];
  const moving = createMoving({ vectors, places, put, clear, show: () => showPlaces() });
  const group = (label, ...nodes) =>
    element("div", { className: "line", role: "group", ariaLabel: label }, ...nodes);
  const hint = element("p", { className: "hint" });

  function showPlaces() {
    const { put, count } = state();
    const from = new Map(put.map(([from, to]) => [to, from]));
    const [picked, target] = [moving.picked(), moving.target()];
    const carried = (step, last) => last !== undefined && step <= last && step > last - count;
    vectors.forEach((button, i) => {
      button.ariaPressed = String(carried(i + 1, picked));
      button.ariaLabel = `m${i + 1} of the donor`;
    });
    places.forEach((button, i) => {
      const other = from.get(i + 1);
      button.textContent = `m${other ?? i + 1}`;
      button.dataset.from = other === undefined ? "row" : "donor";
      button.toggleAttribute("data-target", picked !== undefined && carried(i + 1, target));
      button.ariaLabel =
        other === undefined
          ? `m${i + 1} of the row, in its own place`
          : `m${other} of the donor, in the place of m${i + 1}`;
    });
    hint.textContent =
      picked === undefined
        ? "Drag a memory vector down. Or press it, and then a place."
        : `The donor's m${picked} is picked up. Press a place, or Escape.`;
  }

  return {
    node: element(
      "div",
      { className: "rows" },
      heading(`The donor reads ${READ} shuffles`),
      group("The donor", ...donor.nodes, hint),
      group("Memory vectors of the donor", ...vectors),
      heading("Memory vectors that the row reads later", "heading between"),
      group("Memory vectors of the row", ...places),
      heading("The row answers, each answer with its probability in %"),
      group("The row with what is put in", ...found.nodes),
      heading("As it would have answered"),
      group("The row as it would have been", ...without.nodes),
    ),
    show(now) {
      const { row, donor: tokens, put } = state();
      statesOf(tokens).forEach((reached, i) =>
        donor.show(i + 1, { token: tokens[i], state: reached }),
      );
      row.forEach((token, i) => {
        const [mine, before] = [now.found[i], now.without[i]];
        const goes = goesOnFrom(now, put, i + 1);
        const isChanged = mine.answer !== before.answer;
        const shown = { token, state: mine.answer, share: mine.share, goes, isChanged };
        found.show(i + 1, shown);
        without.show(i + 1, { token, state: before.answer, share: before.share });
      });
      showPlaces();
    },
  };
}
