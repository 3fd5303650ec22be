// The feedback model with shared keys and values: one step after another, each through all layers.
// The memory vector of a step mixes all its layers, m = Σ w_l x^l; every layer of every later step
// reads W_k m and W_v m. The way back goes from the last step to the first; its equations stand in
// feedback/fast/backward.py, which chapter 7b builds.

import { createLayer } from "./train_in_the_page.layer.js";
import { linear, linearBack, linearGradients } from "./train_in_the_page.matrices.js";

// `states` and `dStates` are the streams between the layers, L+1 times (rows, d).
export function createFeedback(parameters, config, room, { states, dStates }) {
  const { d, layers: count, memory: kept, mixture } = config;
  const rows = room.batch * room.steps;
  const [memory, dMemory, keys, values, dKeys, dValues] = [0, 1, 2, 3, 4, 5].map(
    () => new Float32Array(rows * d),
  );
  const reach = kept ?? Number.POSITIVE_INFINITY;
  const sources = { keys, values, dKeys, dValues, reach, readsItself: false };
  const layers = Array.from({ length: count }, (_, l) => {
    const stream = { x: states[l], dx: dStates[l], out: states[l + 1], dOut: dStates[l + 1] };
    return createLayer(parameters, `core.layers.${l}`, config, room, stream, sources);
  });
  const [key, value] = ["key", "value"].map((part) =>
    parameters.get(`core.keys_values.0.${part}.weight`),
  );
  const w = parameters.get("core.mixture.w"); // only where it is learned
  const shares = Float64Array.from(w ? states : mixture, (share) => (w ? 0 : share));
  const dShares = new Float64Array(count + 1);

  // shares = softmax(w)
  function computeShares() {
    if (!w) return;
    let [largest, total] = [Number.NEGATIVE_INFINITY, 0];
    for (const weight of w.value) largest = Math.max(largest, weight);
    for (let l = 0; l <= count; l++) total += shares[l] = Math.exp(w.value[l] - largest);
    for (let l = 0; l <= count; l++) shares[l] /= total;
  }

  function remember(from, to) {
    memory.fill(0, from * d, to * d);
    for (let l = 0; l <= count; l++) {
      const [state, share] = [states[l], shares[l]];
      for (let i = from * d; i < to * d; i++) memory[i] += share * state[i];
    }
    linear(keys, memory, key, null, from, to);
    linear(values, memory, value, null, from, to);
  }

  // `size` rows a step; pauses within each.
  function* forward(steps, size) {
    computeShares();
    for (let t = 0; t < steps; t++) {
      const [from, to] = [t * size, (t + 1) * size];
      for (const layer of layers) {
        layer.normalise(from, to);
        if (t > 0) yield* layer.attend(t, t + 1, size);
        else layer.skipAttention(from, to);
        layer.feedForward(from, to);
      }
      remember(from, to);
      yield;
    }
  }

  // x̄_t^l += w_l m̄_t, and w̄_l += m̄_t · x_t^l
  function undoRemember(l, from, to) {
    const [state, dState, share] = [states[l], dStates[l], shares[l]];
    let sum = 0;
    for (let i = from * d; i < to * d; i++) {
      dState[i] += share * dMemory[i];
      sum += dMemory[i] * state[i];
    }
    dShares[l] += sum;
  }

  function* back(steps, size) {
    dShares.fill(0);
    dKeys.fill(0, 0, steps * size * d);
    dValues.fill(0, 0, steps * size * d);
    for (const layer of layers) layer.attention.clearGradients();
    for (let t = steps - 1; t >= 0; t--) {
      const [from, to] = [t * size, (t + 1) * size];
      // All later steps, and no others, have read this one: m̄_t = W_kᵀ k̄_t + W_vᵀ v̄_t
      linearBack(dMemory, dKeys, key, from, to);
      linearBack(dMemory, dValues, value, from, to, true);
      undoRemember(count, from, to);
      for (let l = count - 1; l >= 0; l--) {
        layers[l].undoFeedForward(from, to);
        if (t > 0) {
          yield* layers[l].undoAttention(t, t + 1, size);
          layers[l].undoNormalise(from, to);
        } else layers[l].undoSkipped(from, to);
        undoRemember(l, from, to);
      }
      yield;
    }
    const to = steps * size;
    linearGradients(room.turned, dKeys, memory, key, null, 0, to);
    linearGradients(room.turned, dValues, memory, value, null, 0, to);
    yield;
    for (const layer of layers) yield* layer.gradients(size, to);
    if (!w) return;
    // Back through the softmax.
    let mean = 0;
    for (let l = 0; l <= count; l++) mean += shares[l] * dShares[l];
    for (let l = 0; l <= count; l++) w.gradient[l] = shares[l] * (dShares[l] - mean);
  }

  return { forward, back, layers, shares };
}
