// The parallel model: all steps at once, one layer after another. Each layer makes its own keys and
// values from what it reads, and a step reads itself and the steps before it.

import { createLayer } from "./train_in_the_page.layer.js";
import { linear, linearBack, linearGradients } from "./train_in_the_page.matrices.js";

// `states` and `dStates` are the streams between the layers, L+1 times (rows, d).
export function createParallel(parameters, config, room, { states, dStates }) {
  const { d, layers: count, memory } = config;
  const rows = room.batch * room.steps;
  const layers = Array.from({ length: count }, (_, l) => {
    const name = `core.layers.${l}`;
    const [keys, values, dKeys, dValues] = [0, 1, 2, 3].map(() => new Float32Array(rows * d));
    const stream = { x: states[l], dx: dStates[l], out: states[l + 1], dOut: dStates[l + 1] };
    const reach = memory ?? Number.POSITIVE_INFINITY;
    const sources = { keys, values, dKeys, dValues, reach, readsItself: true };
    const layer = createLayer(parameters, name, config, room, stream, sources);
    const [key, value, bias] = ["key.weight", "value.weight", "value.bias"].map((part) =>
      parameters.get(`${name}.keys_values.${part}`),
    );
    return { ...layer, ...sources, key, value, bias };
  });

  // `size` rows a step; pauses between parts of the work.
  function* forward(steps, size) {
    const to = steps * size;
    for (const layer of layers) {
      layer.normalise(0, to);
      linear(layer.keys, layer.norm1.out, layer.key, null, 0, to);
      linear(layer.values, layer.norm1.out, layer.value, layer.bias, 0, to);
      yield;
      yield* layer.attend(0, steps, size);
      yield;
      layer.feedForward(0, to);
      yield;
    }
  }

  function* back(steps, size) {
    const to = steps * size;
    for (const layer of layers.toReversed()) {
      layer.undoFeedForward(0, to);
      yield;
      layer.attention.clearGradients();
      layer.dKeys.fill(0, 0, to * d);
      layer.dValues.fill(0, 0, to * d);
      yield* layer.undoAttention(0, steps, size);
      yield;
      linearBack(layer.norm1.dOut, layer.dKeys, layer.key, 0, to, true);
      linearBack(layer.norm1.dOut, layer.dValues, layer.value, 0, to, true);
      layer.undoNormalise(0, to);
      yield;
      linearGradients(room.turned, layer.dKeys, layer.norm1.out, layer.key, null, 0, to);
      linearGradients(room.turned, layer.dValues, layer.norm1.out, layer.value, layer.bias, 0, to);
      yield* layer.gradients(0, to);
    }
  }

  return { forward, back, layers };
}
