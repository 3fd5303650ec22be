// The engine that trains in the page, beside finite differences and closed forms.
// tests/widgets/test_train_in_the_page_engine.py sets it beside PyTorch.

import assert from "node:assert/strict";
import { test } from "node:test";
import { normalNumbers, randomNumbers } from "../../feedback/widgets/base.random.js";
import { createAdamW } from "../../feedback/widgets/train_in_the_page.adamw.js";
import { createLanguageModel } from "../../feedback/widgets/train_in_the_page.language.js";
import { lengthAfter } from "../../feedback/widgets/train_in_the_page.lengths.js";
import { multiply } from "../../feedback/widgets/train_in_the_page.matrices.js";
import {
  createParameters,
  initialise,
} from "../../feedback/widgets/train_in_the_page.parameters.js";
import { createRun, finish } from "../../feedback/widgets/train_in_the_page.run.js";
import {
  createBatch,
  createTask,
  lossOfFrequencies,
} from "../../feedback/widgets/train_in_the_page.tasks.js";

const near = (found, expected, by) =>
  assert.ok(Math.abs(found - expected) <= by, `${found}, expected ${expected}`);

const CONFIG = { d: 8, heads: 2, layers: 2, hidden: 6, distances: 4, memory: null };
const CONFIGS = [
  { ...CONFIG, model: "parallel" },
  { ...CONFIG, model: "parallel", memory: 2 },
  { ...CONFIG, model: "feedback-kv", mixture: "learned" },
  { ...CONFIG, model: "feedback-kv", mixture: [0.2, 0.3, 0.5], memory: 2 },
];

test("each number of a product is a row times a row, at any size", () => {
  const random = randomNumbers(0);
  const numbers = (count) => Float32Array.from({ length: count }, () => random() - 0.5);
  for (const [n, m, k] of [
    [1, 1, 1],
    [2, 4, 3],
    [5, 7, 2],
    [4, 9, 6],
  ]) {
    const [a, b, c, bias] = [(n + 1) * k, m * k, (n + 1) * m, m].map(numbers);
    const before = c.slice();
    multiply(c, 1, a, 1, b, n, m, k, bias, true);
    for (let i = 0; i <= n; i++) {
      for (let j = 0; j < m; j++) {
        let expected = before[i * m + j];
        if (i > 0) expected += bias[j];
        for (let t = 0; i > 0 && t < k; t++) expected += a[i * k + t] * b[j * k + t];
        near(c[i * m + j], expected, 1e-6);
      }
    }
  }
});

// ---- gradients ----

// The model of a config with numbers that are all drawn, and a batch for it.
function drawn(config, seed = 0) {
  const random = randomNumbers(seed);
  const parameters = createParameters({ ...config, tokens: 5 });
  initialise(parameters, random);
  const normal = normalNumbers(random);
  parameters.values.forEach((value, i) => (parameters.values[i] = value + 0.3 * normal()));
  const model = createLanguageModel({ ...config, tokens: 5 }, parameters, 3, 7);
  const batch = createBatch(3, 7);
  batch.length = 6; // less than there is room for
  for (const part of [batch.inputs, batch.labels]) {
    part.forEach((_, i) => (part[i] = Math.floor(5 * random())));
  }
  const loss = () => {
    finish(model.forward(batch));
    return model.judge(batch);
  };
  return { parameters, model, batch, loss, normal };
}

for (const config of CONFIGS) {
  const name = JSON.stringify(config);
  test(`the gradient of each parameter is that of small differences: ${name}`, () => {
    const { parameters, model, batch, loss, normal } = drawn(config);
    loss();
    finish(model.back(batch));
    const gradients = parameters.gradients.slice();
    const largest = Math.max(...gradients.map(Math.abs));
    for (const { name, value, from } of parameters.named.values()) {
      const direction = Array.from(value, normal);
      const expected = direction.reduce((sum, x, i) => sum + x * gradients[from + i], 0);
      const before = value.slice();
      const moved = (by) => {
        value.forEach((_, i) => (value[i] = before[i] + by * direction[i]));
        return loss();
      };
      const step = 1e-3;
      const found = (moved(step) - moved(-step)) / (2 * step);
      value.set(before);
      const allowed = 2e-3 * Math.max(largest, Math.abs(expected));
      assert.ok(Math.abs(found - expected) <= allowed, `${name}: ${found}, expected ${expected}`);
    }
  });

  test(`a batch leaves nothing behind for the next: ${name}`, () => {
    const { parameters, model, batch, loss } = drawn(config);
    loss();
    finish(model.back(batch));
    const first = parameters.gradients.slice();
    batch.length = 7;
    loss();
    finish(model.back(batch));
    batch.length = 6;
    loss();
    finish(model.back(batch));
    assert.deepEqual(parameters.gradients, first);
  });

  test(`nothing comes from later steps: ${name}`, () => {
    const { model, batch, loss } = drawn(config);
    loss();
    const [before, last] = [model.logits.slice(0, 5 * 3 * 5), 5 * 3];
    for (let b = 0; b < 3; b++) batch.inputs[last + b] = (batch.inputs[last + b] + 1) % 5;
    loss();
    assert.deepEqual(model.logits.slice(0, 5 * 3 * 5), before);
  });
}

// ---- updates ----

test("the first update moves every number by the rate, and weight decay shrinks matrices", () => {
  const parameters = createParameters({ ...CONFIGS[0], tokens: 5 });
  parameters.values.fill(2);
  parameters.gradients.forEach((_, i) => (parameters.gradients[i] = i % 2 ? 1 : -1));
  createAdamW(parameters, { rate: 0.01, decay: 0.5, clip: 1e9 }).update();
  for (const { shape, from, value } of parameters.named.values()) {
    const kept = 2 * (shape.length >= 2 ? 1 - 0.01 * 0.5 : 1);
    value.forEach((found, i) => {
      near(found, kept + ((from + i) % 2 ? -0.01 : 0.01), 1e-6);
    });
  }
});

test("a gradient that is too long is shortened, and one that is not stays", () => {
  const parameters = createParameters({ ...CONFIGS[0], tokens: 5 });
  const norm = () => Math.hypot(...parameters.gradients);
  const optimizer = createAdamW(parameters, { rate: 0, decay: 0, clip: 2 });
  parameters.gradients.fill(1);
  optimizer.update();
  near(norm(), 2, 1e-4);
  parameters.gradients.fill(1e-3);
  const before = norm();
  optimizer.update();
  assert.equal(norm(), before);
});

// ---- what is learned, and on what ----

test("labels of parity are sums modulo 2, and those of S3 compose permutations", () => {
  const random = randomNumbers(3);
  const batch = createBatch(4, 9);
  const parity = createTask("parity");
  assert.deepEqual(parity.words, ["01", "10"]);
  parity.fill(batch, random);
  for (let b = 0; b < 4; b++) {
    for (let t = 0, sum = 0; t < 9; t++) {
      sum += batch.inputs[t * 4 + b];
      assert.equal(batch.labels[t * 4 + b], sum % 2);
    }
  }
  const s3 = createTask("s3");
  assert.deepEqual(s3.words, ["012", "021", "102", "120", "201", "210"]);
  s3.fill(batch, random);
  for (let b = 0; b < 4; b++) {
    const cups = [0, 1, 2]; // where each thing lies
    for (let t = 0; t < 9; t++) {
      const order = s3.words[batch.inputs[t * 4 + b]];
      cups.forEach((place, thing) => (cups[thing] = Number(order[place])));
      assert.equal(s3.words[batch.labels[t * 4 + b]], cups.join(""));
    }
  }
});

test("windows of a text are in it, and labels are the characters behind", () => {
  const text = "abcabdabe";
  const task = createTask("text", text);
  const batch = createBatch(5, 4);
  task.fill(batch, randomNumbers(1));
  for (let b = 0; b < 5; b++) {
    const read = (tokens) => [0, 1, 2, 3].map((t) => task.words[tokens[t * 5 + b]]).join("");
    assert.ok(text.includes(read(batch.inputs) + read(batch.labels)[3]));
    assert.equal(read(batch.inputs).slice(1), read(batch.labels).slice(0, 3));
  }
  near(lossOfFrequencies("aabb"), Math.log(2), 1e-12);
});

test("rows become longer when they are easy, and shorter when all is lost", () => {
  const limits = { shortest: 2, longest: 12 };
  assert.deepEqual(
    [
      [4, 0.2],
      [8, 0.2],
      [8, 0.5],
      [8, 0.95],
      [2, 0.95],
    ].map(([length, loss]) => lengthAfter(length, loss, 1, limits)),
    [8, 12, 8, 4, 2],
  );
});

// ---- a run ----

const SETTINGS = { task: "parity", batch: 8, longest: 6, rate: 0.01, decay: 0.01, clip: 1 };
const begin = (changes = {}, weights) =>
  createRun(CONFIGS[3], { ...SETTINGS, seed: 0, ...changes }, weights);

test("a seed decides a run, and weights can be handed on", () => {
  const [one, same, other] = [begin(), begin(), begin({ seed: 1 })];
  const loss = finish(one.train(3, 6));
  assert.equal(finish(same.train(3, 6)), loss);
  assert.notEqual(finish(other.train(3, 6)), loss);
  const heir = begin({ seed: 5 }, one.parameters.values);
  assert.deepEqual(finish(heir.examine(20, 6)), finish(one.examine(20, 6)));
});

test("to examine changes nothing, and rows may be longer than in training", () => {
  const [one, same] = [begin(), begin()];
  finish(one.train(2, 6));
  finish(same.train(2, 6));
  const short = finish(one.examine(20, 6));
  assert.equal(short.losses.length, 6);
  assert.ok(short.right.every((share) => share >= 0 && share <= 1));
  assert.equal(finish(one.examine(5, 50)).right.length, 50);
  assert.equal(finish(one.train(1, 4)), finish(same.train(1, 4)));
});

test("work pauses often", () => {
  const run = begin();
  let pauses = 0;
  for (const _ of run.train(1, 6)) pauses++;
  assert.ok(pauses > 12, `${pauses}`);
});
