// One training run: a model, what it learns from, and its optimizer. All work comes as generators
// that pause between small parts, so that whoever runs them can do something else in between.

import { randomNumbers } from "./base.random.js";
import { createAdamW } from "./train_in_the_page.adamw.js";
import { createLanguageModel } from "./train_in_the_page.language.js";
import { createParameters, initialise } from "./train_in_the_page.parameters.js";
import { createBatch, createTask } from "./train_in_the_page.tasks.js";

const HELD_OUT = 0x40000000; // the seed of held-out rows, which no run is trained on
const MOST_ROWS = 2048; // rows times steps that are examined at once

// `config` as parameters.js has it, but for the tokens, which the task says. `settings` has task,
// text, seed, batch, longest (steps of a row in training), rate, decay and clip. `weights` are
// those to start from; without them they are drawn by the seed.
export function createRun(config, settings, weights) {
  const { seed, batch: rows, longest } = settings;
  const task = createTask(settings.task, settings.text);
  const parameters = createParameters({ ...config, tokens: task.tokens });
  if (weights) parameters.values.set(weights);
  else initialise(parameters, randomNumbers(seed));
  const random = randomNumbers(seed + 1); // both models of a seed see the same batches
  const make = (rows, steps) =>
    createLanguageModel({ ...config, tokens: task.tokens }, parameters, rows, steps);
  const model = make(rows, longest);
  const batch = createBatch(rows, longest);
  const optimizer = createAdamW(parameters, settings);

  // Trains on `count` batches of rows of `length`. Returns the mean loss, in nats a label.
  function* train(count, length) {
    let sum = 0;
    batch.length = length;
    for (let i = 0; i < count; i++) {
      task.fill(batch, random);
      yield* model.forward(batch);
      sum += model.judge(batch);
      yield* model.back(batch);
      optimizer.update();
      yield;
    }
    return sum / count;
  }

  // On `count` held-out rows of `length`: mean loss and share of right answers at each step.
  function* examine(count, length) {
    const fits = length <= longest;
    const most = fits ? rows : Math.max(1, Math.floor(MOST_ROWS / length));
    const examined = fits ? model : make(Math.min(count, most), length);
    const held = createBatch(Math.min(count, most), length);
    const drawn = randomNumbers(HELD_OUT);
    const [losses, right] = [new Float64Array(length), new Float64Array(length)];
    for (let done = 0; done < count; done += held.size) {
      held.size = Math.min(most, count - done);
      task.fill(held, drawn);
      yield* examined.forward(held);
      examined.judge(held);
      for (let t = 0; t < length; t++) {
        losses[t] += examined.losses[t] / count;
        right[t] += examined.right[t] / count;
      }
      yield;
    }
    return { losses: Array.from(losses), right: Array.from(right) };
  }

  const shares = () => Array.from(model.core.shares ?? []);
  return { task, parameters, train, examine, shares };
}

// Does all the work of a generator at once. Returns what it returns.
export function finish(work) {
  let step = work.next();
  while (!step.done) step = work.next();
  return step.value;
}
