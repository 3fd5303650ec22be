// How tokens stand after some passes, beside counting by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedCourse } from "../../feedback/widgets/pass_by_pass.course.js";
import { countOf, describe, stateOf } from "../../feedback/widgets/pass_by_pass.words.js";

const COURSE = recordedCourse({
  text: "ab\n",
  moved: [
    [1, 0.5, 0.01],
    [0, 0.2, 0.02],
    [0, 0, 0.3],
  ],
  answers: ["xyz", "Xyz", "Xyq"],
  losses: [2, 1.5, 1.25],
  exact: "Xyq",
  exact_loss: 1.25,
});

test("the first tokens are exact, and of the others those settled that moved by no more", () => {
  const states = (now) => [0, 1, 2].map((t) => stateOf(t, COURSE.moved(now.passes), now));
  assert.deepEqual(states({ passes: 1, tolerance: 0.01 }), ["exact", "moving", "settled"]);
  assert.deepEqual(states({ passes: 2, tolerance: 0.001 }), ["exact", "exact", "moving"]);
});

test("more passes than tokens change nothing", () => {
  const now = { passes: 9, tolerance: 0.1 };
  assert.deepEqual(COURSE.moved(9), [0, 0, 0.3]);
  assert.deepEqual(countOf(COURSE, now), { tokens: 3, exact: 3, settled: 0, moving: 0, same: 3 });
});

test("the words give the numbers of both rows", () => {
  assert.equal(
    describe({ passes: 2, tolerance: 0.01 }, 4, COURSE, COURSE),
    "After 2 passes, text of 3 tokens: 2 exact for certain, 0 settled, 1 still moving; " +
      "2 answers as in the exact model; loss 1.500 nats a character (exact: 1.250). " +
      "Cups of 3 tokens, memory of 4 vectors: 2 exact for certain, 0 settled, 1 still moving; " +
      "2 answers as in the exact model; loss 1.500 nats a character (exact: 1.250).",
  );
});
