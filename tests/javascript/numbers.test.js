// What the widgets compute, beside closed forms and counting.

import assert from "node:assert/strict";
import { test } from "node:test";
import { linearScale, logScale, roundNumbers, spread } from "../../feedback/widgets/base.axes.js";
import { percent, range, short, withWeight } from "../../feedback/widgets/base.numbers.js";
import { quoted, visible } from "../../feedback/widgets/base.words.js";
import * as cache from "../../feedback/widgets/cache_growth.numbers.js";
import * as path from "../../feedback/widgets/critical_path.numbers.js";
import * as layers from "../../feedback/widgets/layer_memory_weights.numbers.js";
import * as attention from "../../feedback/widgets/memory_attention.numbers.js";
import * as guess from "../../feedback/widgets/predict_then_reveal.numbers.js";

const near = (found, expected) => assert.ok(Math.abs(found - expected) < 1e-9, `${found}`);
const modelOf = (values) => ({ get: (name) => values[name] ?? null });

test("numbers are written in few digits and with a minus sign", () => {
  assert.equal(short(-1234.5678), "\u22121235");
  assert.equal(short(0.000123456, 2), "0.00012");
  assert.equal(percent(0.125), 13);
});

test("one weight is set, and the others keep their proportions and the sum of 1", () => {
  const set = withWeight([0.5, 0.3, 0.2], 0, 0.75);
  [0.75, 0.15, 0.1].forEach((weight, l) => {
    near(set[l], weight);
  });
  assert.deepEqual(withWeight([1, 0, 0], 0, 0.5), [0.5, 0.25, 0.25]);
});

test("characters that cannot be seen are shown by signs", () => {
  assert.deepEqual(["a", " ", "\n", "\t"].map(visible), ["a", "\u2423", "\u21b5", "\u21e5"]);
  assert.equal(visible("a b\n"), "a b\u21b5");
  assert.equal(quoted("a\nb"), "\u201ca\u21b5b\u201d");
});

// ---- axes ----

test("scales lead from end to end, evenly in values or in ratios", () => {
  const [linear, log] = [linearScale(2, 10, 100, 0), logScale(1, 100, 0, 60)];
  assert.deepEqual([2, 6, 10].map(linear), [100, 50, 0]);
  [1, 10, 100].map(log).forEach((place, i) => {
    near(place, 30 * i);
  });
});

test("an axis gets at least three round numbers, and none outside of it", () => {
  for (const low of [0.0003, 0.02, 1, 7, 950]) {
    for (const ratio of [1.3, 2, 9, 1000]) {
      const found = roundNumbers(low, low * ratio);
      assert.ok(found.length >= 3, `${low} to ${low * ratio}: ${found}`);
      assert.ok(found.every((value) => value >= low && value <= low * ratio));
      assert.deepEqual(
        found,
        [...found].sort((a, b) => a - b),
      );
    }
  }
  assert.deepEqual(roundNumbers(1, 1000), [1, 10, 100, 1000]);
});

test("labels are moved apart, in their order and within the picture", () => {
  for (const heights of [
    [50, 10, 52, 199],
    [190, 8, 195, 199],
  ]) {
    const placed = spread(heights, 16, 8, 200);
    const [second, first, third, last] = placed;
    assert.ok(second - first >= 16 && third - second >= 16 && last - third >= 16);
    assert.ok(placed.every((height) => height >= 8 && height <= 200));
  }
  assert.deepEqual(spread([20, 60, 100], 16, 8, 200), [20, 60, 100]);
});

// ---- chapter 5: what is kept ----

test("the paper's sizes in bytes", () => {
  const sizes = { tokens: 8, layers: 6, width: 512, batch: 1, bytes_per_number: 4 };
  const vector = 8 * 512 * 4;
  const kept = cache.KINDS.map((kind) => cache.keptBytes(kind, sizes));
  assert.deepEqual(kept, [7 * vector, vector, 2 * vector, 12 * vector]);
  assert.equal(cache.readable(2 * vector), "32\u00a0KiB");
  assert.equal(cache.readable(1000), "1,000\u00a0B");
  assert.equal(cache.readable(1536 * 1024), "1.5\u00a0MiB");
});

test("a slider stops at round numbers, and an axis ends at a power that holds them", () => {
  assert.deepEqual(cache.stopsUpTo(16), [1, 2, 3, 4, 6, 8, 12, 16]);
  assert.deepEqual(
    [1, 4, 5, 64].map((size) => cache.ceiling(size)),
    [1, 4, 16, 64],
  );
});

// ---- chapter 3: which waits for which ----

// The most layers on a path that ends in a cell, by going through what each cell waits for.
function deepest(name, token, layer, layers) {
  if (layer === 0 && (name === "parallel" || token === 0)) return 0;
  const before = range(0, token + 1).map((t) => {
    if (name === "parallel") return deepest(name, t, layer - 1, layers);
    if (t < token) return deepest(name, t, layers, layers); // through its memory
    return layer > 1 ? deepest(name, token, layer - 1, layers) : 0;
  });
  return 1 + Math.max(...before);
}

test("a cell is filled after the longest path that leads to it", () => {
  for (const name of path.MODELS) {
    for (const token of range(0, 4)) {
      for (const layer of [1, 2, 3]) {
        const done = path.doneAt(name, token, layer, 3);
        assert.equal(done, deepest(name, token, layer, 3), `${name} ${token} ${layer}`);
      }
    }
  }
});

test("the path that is drawn is one: it begins and ends as asked and never leads back", () => {
  const state = { tokens: 6, layers: 3, start: 1, end: 4, time: 0 };
  for (const name of path.MODELS) {
    const cells = path.longestPath(name, state);
    assert.deepEqual(cells.at(-1), [4, 3]);
    cells.slice(1).forEach(([token, layer], i) => {
      const [lastToken, lastLayer] = cells[i];
      assert.ok(token > lastToken ? name === "feedback" || layer > lastLayer : layer > lastLayer);
    });
  }
  assert.equal(path.layersOnPath("parallel", state), 3);
  assert.equal(path.layersOnPath("feedback", state), 4 * 3);
  assert.equal(path.stepsOf("feedback", state), 18);
});

// ---- chapter 4: the layer weights ----

test("the memory is the weighted sum, and the nearest line of a history is found", () => {
  const outputs = [
    [1, -2],
    [0.5, 0],
    [4, 8],
  ];
  assert.deepEqual(layers.mixture(outputs, [0.5, 0.25, 0.25]), [1.625, 1]);
  assert.deepEqual(layers.mixture(outputs, layers.onlyLayer([0, 0, 0], 2)), outputs[2]);
  const history = [
    [0, [0.5, 0.5]],
    [10, [0.2, 0.8]],
  ];
  assert.equal(layers.nearest(history, [0.25, 0.75]), 1);
});

// ---- chapter 5: where the heads look ----

test("weights of several texts are found where they are packed", () => {
  // Two texts of 1 and 2 tokens, one model with one layer and two heads: T (T + 1) / 2 a head.
  const packed = [65535, 0, 65535, 13107, 52428, 0, 65535, 0];
  const view = new DataView(new Uint16Array(packed).buffer);
  const values = {
    names: ["m"],
    layers: 1,
    heads: 2,
    texts: ["x", "ab"],
    tokens: [["x"], ["a", "b"]],
  };
  const { tokens, weight } = attention.read(modelOf({ ...values, text: "ab", weights: view }));
  assert.deepEqual(tokens, ["a", "b"]);
  assert.deepEqual([weight(0, 0, 0, 1, 0), weight(0, 0, 0, 1, 1)], [0.2, 0.8]);
  assert.deepEqual([weight(0, 0, 1, 1, 0), weight(0, 0, 1, 0, 1)], [1, 0]);
  assert.equal(attention.rowOf({ weight }, 0, 0, 0, 1).best, 1);
});

test("cells show parts of the largest weight of their row, and a row of nothing shows none", () => {
  assert.deepEqual(attention.partsOf({ values: [0.01, 0.04, 0.02], best: 1 }), [0.25, 1, 0.5]);
  assert.deepEqual(attention.partsOf({ values: [0, 0], best: undefined }), [0, 0]);
});

// ---- questions ----

test("what is no guess is told why", () => {
  const asked = (fields) => guess.askedIn((name) => fields[name] ?? null);
  const number = asked({ question: "?", unit: "s" });
  assert.equal(guess.problem(number, 3), undefined);
  assert.match(guess.problem(number, null), /Type a number/);
  assert.match(guess.problem(number, 1e16), /fewer digits/);
  const ratio = asked({ question: "?", unit: "s", factor: 2 });
  assert.match(guess.problem(ratio, 0), /above 0/);
  const choice = asked({ question: "?", choices: ["a", "b"] });
  assert.deepEqual(
    ["a", "c"].map((one) => guess.problem(choice, one) === undefined),
    [true, false],
  );
});

test("a verdict says how far a guess is", () => {
  const say = (values) => guess.verdict(modelOf({ unit: "", ...values }));
  assert.equal(say({ guess: 4, truth: 4 }), "Right: 4.");
  assert.equal(
    say({ guess: 10, truth: 40, factor: 2 }),
    "Computed: 40. Not within a factor of 2: your guess is too small by a factor of 4.",
  );
  assert.match(say({ guess: 42, truth: 40, tolerance: 5 }), /Close: your guess is 2 too high/);
});

test("a slider and its scale are each other's inverse", () => {
  for (const ends of [
    { low: 0, high: 50 },
    { low: 1, high: 1000, factor: 3 },
  ]) {
    const { partOf, valueAt } = guess.scaleOf(modelOf(ends));
    for (const part of [0, 0.25, 0.5, 1]) assert.ok(Math.abs(partOf(valueAt(part)) - part) < 0.02);
  }
});
