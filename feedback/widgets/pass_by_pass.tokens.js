// The tokens of a row: how each stands, what the model answers there, and the counts of them.

import { element } from "./base.page.js";
import { visible } from "./base.words.js";
import { stateOf } from "./pass_by_pass.words.js";

const STATES = [
  ["exact", "exact for certain"],
  ["settled", "settled"],
  ["moving", "still moving"],
];

export function tokensPart(title) {
  const box = element("div", { className: "tokens", role: "img" });
  const counts = STATES.map(([state, words]) => {
    const number = element("data", { className: state });
    const sample = element("span", { className: "sample", data: { state }, ariaHidden: "true" });
    return { state, number, node: element("span", {}, sample, `${words} `, number) };
  });
  const [same, score] = [0, 1].map(() => element("span"));
  const legend = counts.map(({ node }) => node);
  const node = element(
    "div",
    {},
    box,
    element("p", { className: "counts" }, ...legend),
    element("p", { className: "counts" }, same, score),
  );
  let shown;
  let chips = [];
  return {
    node,
    show(course, now, counted) {
      if (course !== shown) {
        chips = course.words.map((word) => chipOf(visible(word)));
        box.replaceChildren(...chips.map((chip) => chip.node));
        shown = course;
      }
      const [moved, answers] = [course.moved(now.passes), course.answers(now.passes)];
      chips.forEach((chip, t) => {
        chip.node.dataset.state = stateOf(t, moved, now);
        const isExact = answers[t] === course.exact[t];
        chip.node.toggleAttribute("data-wrong", !isExact);
        chip.answer.textContent = visible(answers[t]);
        chip.exact.textContent = isExact ? "" : visible(course.exact[t]);
      });
      const { tokens, same: alike } = counted;
      box.ariaLabel = `${title}: ${tokens} tokens, each with its answer`;
      counts.forEach(({ state, number }) => {
        number.value = number.textContent = counted[state];
      });
      same.textContent = `${alike} of ${tokens} answers as in the exact model`;
      score.textContent = `${course.score(now.passes)} (exact: ${course.exactScore})`;
    },
  };
}

function chipOf(word) {
  const [token, answer, exact] = ["token", "answer", "exact"].map((className) =>
    element("span", { className }),
  );
  token.textContent = word;
  return { answer, exact, node: element("span", { className: "chip" }, token, answer, exact) };
}
