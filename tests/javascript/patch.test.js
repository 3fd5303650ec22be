// What is moved from one run to another, and what is counted while models read on and on. What the
// models compute is set beside PyTorch by tests/widgets/test_patch_the_memory.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../../feedback/widgets/base.random.js";
import { countOf, unpackWhole } from "../../feedback/widgets/live_model.whole.js";
import {
  createCount,
  LONGEST,
  sentenceOf,
  total,
} from "../../feedback/widgets/patch_the_memory.long.js";
import {
  CUPS,
  cupsOf,
  drawRows,
  goesOnFrom,
  READ,
  statesOf,
  TOTAL,
  withPut,
} from "../../feedback/widgets/patch_the_memory.numbers.js";

test("a shuffle takes each cup where its word says, and one after another they compose", () => {
  assert.equal(cupsOf(0), "ABC");
  // "120": the cup at place 0 goes to 1, that at 1 to 2, that at 2 to 0.
  assert.equal(cupsOf(CUPS.words.indexOf("120")), "CAB");
  const states = statesOf([CUPS.words.indexOf("102"), CUPS.words.indexOf("021")]);
  assert.deepEqual(states.map(cupsOf), ["BAC", "BCA"]);
});

test("two rows stand in different states where the donor ends", () => {
  const random = randomNumbers(1);
  for (let i = 0; i < 40; i++) {
    const { row, donor } = drawRows(random);
    assert.deepEqual([row.length, donor.length], [TOTAL, READ]);
    assert.notEqual(statesOf(row)[READ - 1], statesOf(donor)[READ - 1]);
  }
});

test("several vectors move together, as far as there are some, and a place holds one", () => {
  assert.deepEqual(withPut([], 6, 6, 2), [
    [5, 5],
    [6, 6],
  ]);
  assert.deepEqual(withPut([[1, 5]], 2, 5, 4), [
    [1, 4],
    [2, 5],
  ]);
  assert.deepEqual(withPut([[3, 1]], 5, 1, 3), [[5, 1]]);
});

test("an answer goes on from one of two states, from neither, or nobody can tell", () => {
  const now = { to: 6, gone: [1, 1, 1, 1], own: [0, 0, 0, 0, 0, 0, 2, 2, 2, 1] };
  now.found = [0, 0, 0, 0, 0, 0, 1, 2, 3, 1].map((answer) => ({ answer }));
  const said = (put) => [6, 7, 8, 9, 10].map((step) => goesOnFrom(now, put, step));
  assert.deepEqual(said([[6, 6]]), [undefined, "donor", "row", "neither", undefined]);
  assert.deepEqual(said([]), Array(5).fill(undefined));
});

// ---- weights ----

const SIZES = { model: "feedback-kv", tokens: 2, d: 2, heads: 1, layers: 1, hidden: 1 };

test("numbers of two bytes and of four come back as they were, one model after another", () => {
  const sizes = { ...SIZES, distances: 1, memory: null, mixture: "learned" };
  const count = countOf(sizes);
  const bytes = new DataView(new ArrayBuffer(6 * count + 3), 3);
  const halves = [0x0000, 0x3c00, 0xc000, 0x0001, 0x7bff, 0x3555, 0x0400];
  for (let i = 0; i < count; i++) {
    bytes.setUint16(2 * i, halves[i % halves.length], true);
    bytes.setFloat32(2 * count + 4 * i, Math.PI * i, true);
  }
  const [short, long] = unpackWhole(bytes, [
    { sizes, isShort: true },
    { sizes, isShort: false },
  ]);
  assert.deepEqual(
    [...short.slice(0, 7)],
    [0, 1, -2, 2 ** -24, 65504, Math.fround(0.333251953125), 2 ** -14],
  );
  assert.equal(long[count - 1], Math.fround(Math.PI * (count - 1)));
});

// ---- reading on and on ----

// A reader that follows the cups and says something else from its `wrongFrom`th shuffle on.
function readerThatFails(wrongFrom) {
  return {
    begin() {
      let [state, read] = [0, 0];
      return (token) => {
        state = CUPS.after(state, token);
        const said = ++read >= wrongFrom ? (state + 1) % 6 : state;
        return { logits: CUPS.words.map((_, i) => (i === said ? 9 : 0)) };
      };
    },
  };
}

test("wrong answers are counted in blocks, and the first of them is named", () => {
  const count = createCount([readerThatFails(Number.POSITIVE_INFINITY), readerThatFails(130)], 5);
  const names = ["one", "two"];
  assert.match(sentenceOf(names, count, 32), /trained on rows of 32 shuffles. Press Run on/);
  for (let i = 0; i < 2 * 256; i++) assert.ok(count.step());
  assert.equal(count.read(), 256);
  assert.deepEqual(count.wrong, [
    [0, 0],
    [0, 127],
  ]);
  assert.equal(
    sentenceOf(names, count, 32),
    "After 256 shuffles, trained on 32: one has no wrong answer; two has 127 wrong, the first at shuffle 130.",
  );
  while (count.step());
  assert.equal(count.read(), LONGEST);
  assert.equal(total(count.wrong[1]), LONGEST - 129);
});
