// The engine of the live model beside closed forms. tests/widgets/test_live_model_engine.py sets it
// beside PyTorch.

import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../../feedback/widgets/base.random.js";
import { mix, norm, softmax } from "../../feedback/widgets/live_model.arithmetic.js";
import {
  alphabet,
  createModel,
  createWriter,
  distribution,
  draw,
  losses,
} from "../../feedback/widgets/live_model.engine.js";
import { unpack } from "../../feedback/widgets/live_model.weights.js";

const near = (found, expected, by = 1e-6) => {
  assert.equal(found.length, expected.length);
  found.forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]) <= by, `${value} at ${i}, expected ${expected[i]}`);
  });
};

// ---- a model whose numbers are known ----

const product = (shape) => shape.reduce((size, n) => size * n, 1);

// Tensors as quantised.py packs them: a scale of 1 a row, and whole numbers from value(name, i).
function pack(shapes, value) {
  const [floats, integers] = [[], []];
  for (const [name, shape] of shapes) {
    const numbers = Array.from({ length: product(shape) }, (_, i) => value(name, i));
    if (shape.length === 1) floats.push(...numbers);
    else {
      floats.push(...Array(product(shape.slice(0, -1))).fill(1));
      integers.push(...numbers);
    }
  }
  const bytes = new Uint8Array(4 * floats.length + integers.length);
  bytes.set(new Uint8Array(new Float32Array(floats).buffer));
  bytes.set(new Int8Array(integers), 4 * floats.length);
  return new DataView(bytes.buffer);
}

// One layer of two heads and width 4 that knows 3 characters and keeps 3 memory vectors.
const CONFIG = { d: 4, heads: 2, layers: 1, memory: 3, eps: 1e-5 };
const LAYER = "core.layers.0";
const SHAPES = [
  ["embedding.weight", [3, 4]],
  [`${LAYER}.norm1.weight`, [4]],
  [`${LAYER}.norm1.bias`, [4]],
  [`${LAYER}.attention.query.weight`, [4, 4]],
  [`${LAYER}.attention.u`, [2, 2]],
  [`${LAYER}.attention.r`, [3, 2, 2]],
  [`${LAYER}.attention.s`, [3, 2]],
  [`${LAYER}.attention.output.weight`, [4, 4]],
  [`${LAYER}.norm2.weight`, [4]],
  [`${LAYER}.norm2.bias`, [4]],
  [`${LAYER}.feed_forward.widen.weight`, [8, 4]],
  [`${LAYER}.feed_forward.narrow.weight`, [4, 8]],
  ["core.keys_values.0.key.weight", [4, 4]],
  ["core.keys_values.0.value.weight", [4, 4]],
  ["core.norm.weight", [4]],
  ["core.norm.bias", [4]],
  ["head.weight", [3, 4]],
  ["head.bias", [3]],
];

function modelOf(values) {
  const given = (name, i) => values[name]?.[i] ?? 0;
  return createModel({ config: CONFIG, tensors: SHAPES, weights: pack(SHAPES, given) });
}

const HEAD_BIAS = [Math.log(1), Math.log(2), Math.log(5)];
const EMBEDDING = [1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0];

test("what was packed comes back, each row times its scale", () => {
  const tensors = [
    ["matrix", [2, 3]],
    ["vector", [2]],
  ];
  const floats = new Float32Array([0.5, -2, 7, 8]); // two scales, then the vector
  const bytes = new Uint8Array(3 + floats.byteLength + 6);
  bytes.set(new Uint8Array(floats.buffer), 3); // at a place where no float could begin
  bytes.set(new Int8Array([1, 2, 3, -4, 5, 127]), 3 + floats.byteLength);
  const { matrix, vector } = unpack(new DataView(bytes.buffer, 3), tensors);
  assert.deepEqual([...matrix], [0.5, 1, 1.5, 8, -10, -254]);
  assert.deepEqual([...vector], [7, 8]);
});

test("where all weights are 0, the bias of the head is all there is", () => {
  const step = modelOf({ "head.bias": HEAD_BIAS }).begin({ mixture: [0.5, 0.5] });
  for (const token of [0, 1, 2]) near(step(token).logits, HEAD_BIAS);
});

test("where all weights are 0, every head looks at all memory vectors alike, the last 3", () => {
  const step = modelOf({}).begin({ mixture: [0.5, 0.5] });
  const seen = [0, 1, 2, 0, 1].map((token) => step(token).attention[0]);
  seen.forEach((heads, t) => {
    const n = Math.min(t, CONFIG.memory);
    for (const shares of heads) near(shares, Array(n).fill(1 / n));
  });
});

test("a bias of a distance of ln 3 makes a head look there three times as much", () => {
  // Rows are distances, the nearest last; columns are heads. Scores are divided by sqrt(k).
  const steps = [0, 0, 0, 0, 3, 0];
  const step = modelOf({ [`${LAYER}.attention.s`]: steps }).begin({ mixture: [0.5, 0.5] });
  [0, 1, 2].forEach(step);
  const [first, second] = step(0).attention[0];
  const odds = Math.exp(3 / Math.sqrt(2));
  near(
    first,
    [1, 1, odds].map((value) => value / (2 + odds)),
  );
  near(second, [1 / 3, 1 / 3, 1 / 3]);
});

test("a memory vector is the mixture of embedding and layer", () => {
  const step = modelOf({ "embedding.weight": EMBEDDING }).begin({ mixture: [0.25, 0.75] });
  const { outputs, memory } = step(1);
  near(outputs[0], [0, 2, 0, 0]);
  near(outputs[1], [0, 2, 0, 0]); // a layer of zeros adds nothing
  near(memory, [0, 2, 0, 0]);
  near(
    mix(
      [
        [1, 2],
        [3, 6],
      ],
      [0.25, 0.75],
    ),
    [2.5, 5],
  );
});

test("a head that sees values reads their weighted mean", () => {
  const identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  const step = modelOf({
    "embedding.weight": EMBEDDING,
    "core.keys_values.0.value.weight": identity,
    [`${LAYER}.attention.output.weight`]: identity,
  }).begin({ mixture: [1, 0] }); // the memory is the embedding
  step(0);
  step(1);
  near(step(2).outputs[1], [1 / 2, 2 / 2, 3, 0]); // half of each before, and its own embedding
});

test("a memory vector may keep the length that another mixture gives it", () => {
  // A layer whose feed-forward adds 3 to the third feature, and nothing else.
  const model = modelOf({
    "embedding.weight": EMBEDDING,
    [`${LAYER}.feed_forward.narrow.weight`]: Array.from({ length: 32 }, (_, i) => +(i === 16)),
    [`${LAYER}.norm2.bias`]: [3, 0, 0, 0],
    [`${LAYER}.feed_forward.widen.weight`]: [1],
  });
  const [last, equal] = [
    [0, 1],
    [0.5, 0.5],
  ];
  near(model.begin({ mixture: last })(1).memory, [0, 2, 3, 0]);
  const made = model.begin({ mixture: last, lengthOf: equal })(1).memory;
  near([norm(made)], [norm([0, 2, 1.5, 0])]);
  near([made[2] / made[1]], [3 / 2]); // its direction is its own
  near(model.begin({ mixture: equal, lengthOf: equal })(1).memory, [0, 2, 1.5, 0]);
  const zeros = modelOf({}).begin({ mixture: last, lengthOf: equal });
  near(zeros(1).memory, [0, 0, 0, 0]);
});

test("what an output would predict goes through the last norm and the head", () => {
  const model = modelOf({
    "core.norm.weight": [2, 2, 2, 2],
    "core.norm.bias": [0, 0, 0, 5],
    "head.weight": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1],
    "head.bias": [0, 0, 1],
  });
  // Mean 0 and variance 1, but for eps.
  near(model.predict(new Float32Array([1, -1, 1, -1])), [2, -2, -2 + 5 + 1], 1e-4);
  near(model.predict(new Float32Array([10, -10, 10, -10])), [2, -2, 4], 1e-4); // of any length
});

test("the loss of a model that knows how often each character comes is -log of that share", () => {
  const model = modelOf({ "head.bias": HEAD_BIAS });
  near(
    [...losses(model, [0, 1, 2, 0], { mixture: [0.5, 0.5] })],
    [1 / 4, 5 / 8, 1 / 8].map((p) => -Math.log(p)),
  );
});

// ---- writing ----

test("softmax of logarithms gives back their shares, at any size", () => {
  near(softmax(HEAD_BIAS), [1 / 8, 2 / 8, 5 / 8]);
  near(softmax([1000, 1000 + Math.log(3)]), [1 / 4, 3 / 4]);
  near(softmax(HEAD_BIAS, 0.5), [1 / 30, 4 / 30, 25 / 30]);
});

test("temperature and top-k change what is drawn from, and not what the model says", () => {
  const own = [5 / 8, 2 / 8, 1 / 8];
  const sharesAt = (settings) => {
    const choices = distribution(HEAD_BIAS, settings);
    assert.deepEqual(
      choices.map(([token]) => token),
      [2, 1, 0],
    );
    near(
      choices.map(([, , share]) => share),
      own,
    );
    return choices.map(([, share]) => share);
  };
  near(sharesAt({ temperature: 1 }), own);
  near(sharesAt({ temperature: 1, topK: 2 }), [5 / 7, 2 / 7, 0]);
  near(sharesAt({ temperature: 0.5 }), [25 / 30, 4 / 30, 1 / 30]);
  near(sharesAt({ temperature: 0 }), [1, 0, 0]);
});

test("of tokens that are as likely the first comes first", () => {
  assert.deepEqual(
    distribution([1, 2, 2], { temperature: 0 }).map(([token, share]) => [token, share]),
    [
      [1, 1],
      [2, 0],
      [0, 0],
    ],
  );
});

test("a number in 0..1 draws a token by its share", () => {
  const choices = [
    [7, 0.5],
    [3, 0.25],
    [9, 0.25],
  ];
  const drawn = [0, 0.49, 0.51, 0.74, 0.76, 0.99].map((number) => draw(choices, number));
  assert.deepEqual(drawn, [7, 7, 3, 3, 9, 9]);
  assert.equal(draw([[7, 0.999]], 0.9999), 7); // shares that were rounded
});

test("random numbers are even, and the same for the same seed", () => {
  const take = (seed, count) => Array.from({ length: count }, randomNumbers(seed));
  assert.deepEqual(take(5, 9), take(5, 9));
  assert.notDeepEqual(take(5, 9), take(6, 9));
  const tenths = Array(10).fill(0);
  for (const number of take(0, 10000)) tenths[Math.floor(10 * number)]++;
  assert.ok(Math.min(...tenths) > 900 && Math.max(...tenths) < 1100, String(tenths));
});

test("a writer reads its prompt, goes on by the model's shares, and keeps the last records", () => {
  const model = modelOf({ "head.bias": HEAD_BIAS });
  const settings = { mixture: [0.5, 0.5], temperature: 1, seed: 3, kept: 4 };
  const write = (more) => {
    const writer = createWriter(model, [0, 1], { ...settings, ...more });
    for (let i = 0; i < 4000; i++) writer.next();
    return writer;
  };
  const { tokens, records } = write();
  assert.deepEqual(tokens.slice(0, 2), [0, 1]);
  assert.deepEqual(
    records.map(({ token }) => token),
    tokens.slice(-4),
  );
  const shares = [0, 1, 2].map((token) => tokens.filter((each) => each === token).length / 4000);
  near(shares, [1 / 8, 2 / 8, 5 / 8], 0.03);
  assert.deepEqual(write().tokens, tokens);
  assert.notDeepEqual(write({ seed: 4 }).tokens, tokens);
  assert.ok(
    write({ topK: 1 })
      .tokens.slice(2)
      .every((token) => token === 2),
  );
});

test("an alphabet counts characters, not the units that they are stored in", () => {
  const { encode, decode } = alphabet("a\u{1F600}b");
  assert.deepEqual(encode("b\u{1F600}?"), [2, 1, undefined]);
  assert.equal(decode([1, 0]), "\u{1F600}a");
});
