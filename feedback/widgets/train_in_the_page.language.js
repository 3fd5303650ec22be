// The language model: an embedding, one of the two models, a norm, and a head that gives a logit for
// each token. Rows lie step after step: row t B + b is step t of row b of a batch of B.

import { createFeedback } from "./train_in_the_page.feedback.js";
import { linear, linearBack, linearGradients } from "./train_in_the_page.matrices.js";
import { createNorm } from "./train_in_the_page.norm.js";
import { createParallel } from "./train_in_the_page.parallel.js";
import { turnMatrices } from "./train_in_the_page.parameters.js";

// A model with room for batches of at most `batch` rows and `steps` steps. All it will need is made
// here: an update makes nothing. Its work comes as generators, which pause between small parts.
export function createLanguageModel(config, parameters, batch, steps) {
  const { d, layers, tokens: vocabulary, hidden } = config;
  const rows = batch * steps;
  const widest = Math.max(d, hidden, vocabulary);
  const room = { batch, steps, turned: [0, 1].map(() => new Float32Array(rows * widest)) };
  const [states, dStates] = [0, 1].map(() =>
    Array.from({ length: layers + 1 }, () => new Float32Array(rows * d)),
  );
  const create = config.model === "parallel" ? createParallel : createFeedback;
  const core = create(parameters, config, room, { states, dStates });
  const embedding = parameters.get("embedding.weight");
  const head = { weight: parameters.get("head.weight"), bias: parameters.get("head.bias") };
  const norm = createNorm(parameters, "core.norm", d, rows);
  const [logits, dLogits] = [0, 1].map(() => new Float32Array(rows * vocabulary));
  // Of the last batch, at each step: the sum of its rows' losses, and how many were right.
  const [losses, right] = [new Float64Array(steps), new Float64Array(steps)];

  // Logits of tokens (T, B).
  function* forward({ inputs, size, length }) {
    const to = length * size;
    for (let row = 0; row < to; row++) {
      for (let i = 0, at = inputs[row] * d; i < d; i++) {
        states[0][row * d + i] = embedding.value[at + i];
      }
    }
    yield* core.forward(length, size);
    norm.forward(states[layers], 0, to);
    linear(logits, norm.out, head.weight, head.bias, 0, to);
  }

  // Loss and right answers at each step, and the gradient of the mean loss. Returns that mean.
  function judge({ labels, size, length }) {
    let all = 0;
    for (let t = 0; t < length; t++) {
      losses[t] = 0;
      right[t] = 0;
      for (let b = 0; b < size; b++) {
        const row = t * size + b;
        const [at, label] = [row * vocabulary, labels[row]];
        let best = 0;
        for (let i = 1; i < vocabulary; i++) if (logits[at + i] > logits[at + best]) best = i;
        let total = 0;
        for (let i = 0; i < vocabulary; i++) total += Math.exp(logits[at + i] - logits[at + best]);
        for (let i = 0; i < vocabulary; i++) {
          const share = Math.exp(logits[at + i] - logits[at + best]) / total;
          dLogits[at + i] = (share - (i === label ? 1 : 0)) / (size * length);
        }
        losses[t] += Math.log(total) + logits[at + best] - logits[at + label];
        right[t] += best === label ? 1 : 0;
      }
      all += losses[t];
    }
    return all / (size * length);
  }

  // Gradients of all parameters, after `forward` and `judge` of the same batch.
  function* back({ inputs, size, length }) {
    const to = length * size;
    turnMatrices(parameters);
    linearGradients(room.turned, dLogits, norm.out, head.weight, head.bias, 0, to);
    linearBack(norm.dOut, dLogits, head.weight, 0, to);
    norm.gradients(0, to);
    norm.back(dStates[layers], null, 0, to);
    yield;
    yield* core.back(length, size);
    embedding.gradient.fill(0);
    for (let row = 0; row < to; row++) {
      for (let i = 0, at = inputs[row] * d; i < d; i++) {
        embedding.gradient[at + i] += dStates[0][row * d + i];
      }
    }
  }

  return { config, parameters, core, logits, losses, right, forward, judge, back };
}
