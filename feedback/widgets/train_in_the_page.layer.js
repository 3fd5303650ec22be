// One layer, forward and backward, on any rows: attention, then feed-forward, each of which reads
// normalised rows and adds to the stream. What it computes is kept for the way back.
//
// x is the stream that a layer takes, `middle` what stands between its two halves, and `out` what it
// gives; a name with d in front is the gradient of the loss with respect to that.

import { createAttention } from "./train_in_the_page.attention.js";
import { linear, linearBack, linearGradients } from "./train_in_the_page.matrices.js";
import { createNorm } from "./train_in_the_page.norm.js";

// `stream` has x, dx, out and dOut, (rows, d) each; `sources` is what attention reads.
export function createLayer(parameters, name, config, room, stream, sources) {
  const { d, hidden: wide } = config;
  const { batch, steps, turned } = room;
  const { x, dx, out, dOut } = stream;
  const rows = batch * steps;
  const attention = createAttention(parameters, `${name}.attention`, config, room, sources);
  const [norm1, norm2] = ["norm1", "norm2"].map((norm) =>
    createNorm(parameters, `${name}.${norm}`, d, rows),
  );
  const of = (part) => parameters.get(`${name}.${part}`);
  const query = of("attention.query.weight");
  const output = { weight: of("attention.output.weight"), bias: of("attention.output.bias") };
  const [widen, narrow] = ["widen", "narrow"].map((map) => ({
    weight: of(`feed_forward.${map}.weight`),
    bias: of(`feed_forward.${map}.bias`),
  }));
  const [middle, dMiddle] = [0, 1].map(() => new Float32Array(rows * d));
  const [hidden, dHidden] = [0, 1].map(() => new Float32Array(rows * wide));

  const normalise = (from, to) => norm1.forward(x, from, to);

  // The steps first..last, which begin at row first * size; `size` rows are a step. Pauses after each.
  function* attend(first, last, size) {
    const [from, to] = [first * size, last * size];
    linear(attention.query, norm1.out, query, null, from, to);
    for (let t = first; t < last; t++) {
      attention.forward(t, size);
      yield;
    }
    for (let i = from * d; i < to * d; i++) middle[i] = x[i];
    linear(middle, attention.read, output.weight, output.bias, from, to, true);
  }

  // Where there is nothing to read the first half is left out.
  function skipAttention(from, to) {
    for (let i = from * d; i < to * d; i++) middle[i] = x[i];
  }

  function feedForward(from, to) {
    norm2.forward(middle, from, to);
    linear(hidden, norm2.out, widen.weight, widen.bias, from, to);
    for (let i = from * wide; i < to * wide; i++) if (hidden[i] < 0) hidden[i] = 0;
    for (let i = from * d; i < to * d; i++) out[i] = middle[i];
    linear(out, hidden, narrow.weight, narrow.bias, from, to, true);
  }

  // ---- backward, in the other order ----

  function undoFeedForward(from, to) {
    linearBack(dHidden, dOut, narrow.weight, from, to);
    for (let i = from * wide; i < to * wide; i++) if (hidden[i] <= 0) dHidden[i] = 0;
    linearBack(norm2.dOut, dHidden, widen.weight, from, to);
    norm2.back(dMiddle, dOut, from, to);
  }

  function* undoAttention(first, last, size) {
    const [from, to] = [first * size, last * size];
    linearBack(attention.dRead, dMiddle, output.weight, from, to);
    for (let t = last - 1; t >= first; t--) {
      attention.back(t, size);
      yield;
    }
    linearBack(norm1.dOut, attention.dQuery, query, from, to);
  }

  const undoNormalise = (from, to) => norm1.back(dx, dMiddle, from, to);

  function undoSkipped(from, to) {
    for (let i = from * d; i < to * d; i++) dx[i] = dMiddle[i];
  }

  // The gradients of all weights, when all rows up to `to` have been undone; those before `from` had
  // nothing to read.
  function* gradients(from, to) {
    norm1.gradients(from, to);
    linearGradients(turned, attention.dQuery, norm1.out, query, null, from, to);
    linearGradients(turned, dMiddle, attention.read, output.weight, output.bias, from, to);
    attention.gradients();
    yield;
    norm2.gradients(0, to);
    linearGradients(turned, dHidden, norm2.out, widen.weight, widen.bias, 0, to);
    yield;
    linearGradients(turned, dOut, hidden, narrow.weight, narrow.bias, 0, to);
    yield;
  }

  return {
    attention,
    norm1,
    normalise,
    attend,
    skipAttention,
    feedForward,
    undoFeedForward,
    undoAttention,
    undoNormalise,
    undoSkipped,
    gradients,
  };
}
