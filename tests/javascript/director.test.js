// Who directs two runs, with trainers that answer as they are told; and who trains without a worker.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createDirector } from "../../feedback/widgets/train_in_the_page.director.js";
import { createPlan } from "../../feedback/widgets/train_in_the_page.plan.js";
import { createTrainer, inSlices } from "../../feedback/widgets/train_in_the_page.trainers.js";
import { answer } from "../../feedback/widgets/train_in_the_page.worker.js";

const LIMITS = { shortest: 2, longest: 8 };

// Two trainers that say what `loss(name, round)` and `right(name, round)` give, and all that was asked.
function direct({ loss, right, many = right }, show = () => {}) {
  const asked = [];
  const trainerOf = (name) => {
    let round = 0;
    const answers = {
      train: () => ({ loss: loss(name, ++round), right: right(name, round), shares: [] }),
      examine: () => ({ right: many(name, round) }),
    };
    return {
      async ask(what, given) {
        asked.push({ name, what, ...given });
        return answers[what]?.();
      },
      end: () => asked.push({ name, what: "end" }),
    };
  };
  const trainers = { parallel: trainerOf("parallel"), "feedback-kv": trainerOf("feedback-kv") };
  const begin = { parallel: { of: 1 }, "feedback-kv": { of: 2 } };
  return { asked, director: createDirector(trainers, begin, LIMITS, show) };
}

const never = () => [0.5, 0.5];
const lengthsOf = (asked, name) =>
  asked.filter((one) => one.what === "train" && one.name === name).map(({ length }) => length);

test("both models make the same updates, on rows as long as the better one can bear", async () => {
  const { asked, director } = direct({
    loss: (name, round) => (name === "parallel" || round > 3 ? 0.6 : 0.1),
    right: (_, round) => {
      if (round === 5) director.pause();
      return never();
    },
  });
  await director.play();
  assert.deepEqual(lengthsOf(asked, "feedback-kv"), [2, 4, 8, 8, 4]);
  assert.deepEqual(lengthsOf(asked, "parallel"), lengthsOf(asked, "feedback-kv"));
  assert.deepEqual(
    asked.slice(0, 2).map(({ what, of }) => [what, of]),
    [
      ["begin", 1],
      ["begin", 2],
    ],
  );
  assert.equal(director.progress.updates, 50);
});

test("training rests when a task is solved on many rows, and then goes on", async () => {
  const { asked, director } = direct({
    loss: () => 0.5,
    right: (name, round) => {
      if (round === 4) director.pause();
      return name === "feedback-kv" && round >= 2 ? [1, 0.99] : [1, 0.98];
    },
  });
  await director.play();
  assert.equal(director.progress.updates, 20);
  assert.deepEqual(director.progress.solved, { "feedback-kv": 20 });
  const looked = asked.filter(({ what }) => what === "examine");
  assert.deepEqual(
    looked.map(({ name, rows, length }) => [name, rows, length]),
    [["feedback-kv", 512, 8]],
  );
  await director.play();
  assert.equal(director.progress.updates, 40);
});

test("what looks solved on a few rows and is not on many is not solved", async () => {
  const { director } = direct({
    loss: () => 0.5,
    right: (_, round) => {
      if (round === 3) director.pause();
      return [1, 1];
    },
    many: never,
  });
  await director.play();
  assert.equal(director.progress.updates, 30);
  assert.deepEqual(director.progress.solved, {});
});

test("single updates count towards the next check, and longer rows are asked of both", async () => {
  const { asked, director } = direct({ loss: () => 0.1, right: never });
  for (let i = 0; i < 9; i++) await director.step();
  assert.equal(director.progress.length, 2);
  await director.step();
  assert.equal(director.progress.length, 4);
  await director.ask(64);
  assert.deepEqual(director.progress.asked.right, { parallel: never(), "feedback-kv": never() });
  assert.equal(asked.filter(({ what, length }) => what === "examine" && length === 64).length, 2);
});

test("what has ended shows nothing more", async () => {
  let shown = 0;
  const { director, asked } = direct({ loss: () => 0.5, right: never }, () => shown++);
  const training = director.play();
  director.end();
  await training;
  assert.equal(shown, 0);
  assert.equal(asked.filter(({ what }) => what === "end").length, 2);
});

test("no rows are asked for that are longer than the text", () => {
  const text = { hidden: 8, shortest: 4, longest: 4 };
  const traits = {
    ...TRAITS,
    sizes: { ...TRAITS.sizes, text },
    task: "text",
    text: "ab".repeat(10),
  };
  assert.deepEqual(createPlan((name) => traits[name]).longer, [8, 16]);
  assert.deepEqual(PLAN.longer, [8, 16, 32, 64, 128]);
});

// ---- trainers ----

const TRAITS = {
  sizes: {
    d: 8,
    heads: 2,
    batch: 4,
    decay: 0,
    clip: 1,
    s3: { hidden: 8, shortest: 2, longest: 4 },
  },
  task: "s3",
  models: "both",
  layers: 2,
  memory_size: 2,
  mixture: "last",
  learning_rate: 0.01,
  seed: 0,
};
const PLAN = createPlan((name) => TRAITS[name]);
const ROUND = { count: 2, length: 4, rows: 8, longest: 4 };

test("where no worker may start, the page has its turn between small parts of the work", async () => {
  const trainer = await createTrainer(); // Node has no workers of a page
  assert.equal(trainer.isWorker, false);
  await trainer.ask("begin", PLAN.begin["feedback-kv"]);
  const { now } = performance;
  let clock = 0;
  performance.now = () => (clock += 5); // one part lasts as long as half a slice
  let [turns, done] = [0, false];
  const turn = () => {
    turns++;
    if (!done) setTimeout(turn);
  };
  setTimeout(turn);
  await trainer.ask("train", ROUND);
  done = true;
  performance.now = now;
  assert.ok(turns > 10, `${turns}`);
  trainer.end();
});

test("a worker and the page itself come to the same", async () => {
  const trainer = inSlices();
  for (const name of PLAN.names) {
    const given = PLAN.begin[name];
    await trainer.ask("begin", given);
    answer({ id: 0, name: "begin", given });
    const found = answer({ id: 7, name: "train", given: ROUND });
    assert.deepEqual(found, { id: 7, result: await trainer.ask("train", ROUND) });
    const weights = await trainer.ask("weights");
    assert.deepEqual(answer({ id: 8, name: "weights" }).result, weights);
  }
});

test("an error in a worker is an answer, too", () => {
  const given = { ...PLAN.begin.parallel, settings: null };
  assert.match(answer({ id: 3, name: "begin", given }).error, /null/);
});
