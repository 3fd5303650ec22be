// How tokens stand after so many passes, and the sentences that say it: the same as in
// pass_by_pass.py.

import { range } from "./base.numbers.js";

// The first `passes` tokens are exact for certain. Of the others those have settled whose memory vector
// the last pass moved by at most the tolerance.
export function stateOf(t, moved, { passes, tolerance }) {
  if (t < passes) return "exact";
  return moved[t] <= tolerance ? "settled" : "moving";
}

// How many tokens are in each state, and how many answers are those of the exact model.
export function countOf(course, now) {
  const [moved, answers] = [course.moved(now.passes), course.answers(now.passes)];
  const states = range(0, moved.length).map((t) => stateOf(t, moved, now));
  const [exact, settled, moving] = ["exact", "settled", "moving"].map(
    (state) => states.filter((one) => one === state).length,
  );
  const same = answers.filter((answer, t) => answer === course.exact[t]).length;
  return { tokens: moved.length, exact, settled, moving, same };
}

export const passesSaid = (passes) => (passes === 1 ? "1 pass" : `${passes} passes`);

export function describe(now, memory, text, cups) {
  const said = (course) => {
    const { exact, settled, moving, same } = countOf(course, now);
    return (
      `${exact} exact for certain, ${settled} settled, ${moving} still moving; ` +
      `${same} answers as in the exact model; ${course.score(now.passes)} ` +
      `(exact: ${course.exactScore}).`
    );
  };
  return (
    `After ${passesSaid(now.passes)}, text of ${text.words.length} tokens: ${said(text)} ` +
    `Cups of ${cups.words.length} tokens, memory of ${memory ?? "all"} vectors: ${said(cups)}`
  );
}
