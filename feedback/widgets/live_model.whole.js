// A feedback model whose weights have all their digits: those of a model that was trained in the
// page, or packed by feedback/widgets/whole_weights.py.

import { softmax } from "./live_model.arithmetic.js";
import { modelOf } from "./live_model.engine.js";
import { createParameters, shapesOf } from "./train_in_the_page.parameters.js";

const EPS = 1e-5; // of the layer norms, as PyTorch has it

const product = (shape) => shape.reduce((size, n) => size * n, 1);
export const countOf = (sizes) =>
  shapesOf(sizes).reduce((sum, [, shape]) => sum + product(shape), 0);

// What live_model.engine.js needs of a model of these sizes, with all its `values` in one array: its
// config, its weights by name, and the mixture of its layers. Where it keeps all memory vectors, it
// keeps `most`.
export function wholeModel(sizes, values, most) {
  const parameters = createParameters(sizes);
  parameters.values.set(values);
  const weights = Object.fromEntries(
    [...parameters.named].map(([name, { value }]) => [name, value]),
  );
  const { d, heads, layers } = sizes;
  const config = { d, heads, layers, memory: sizes.memory ?? most, eps: EPS };
  const w = weights["core.mixture.w"]; // only where it is learned
  return { config, weights, mixture: w ? Array.from(softmax(w)) : sizes.mixture };
}

// A reader of that model: begin(more) as in live_model.engine.js, with its own mixture.
export function readerOf(sizes, values, most) {
  const { config, weights, mixture } = wholeModel(sizes, values, most);
  const model = modelOf(config, weights);
  return { mixture, d: sizes.d, begin: (more) => model.begin({ mixture, ...more }) };
}

// The numbers of models in a buffer, an array for each: of two bytes each where it `isShort`.
export function unpackWhole(view, models) {
  let at = 0;
  return models.map(({ sizes, isShort }) => {
    const numbers = new Float32Array(countOf(sizes));
    for (let i = 0; i < numbers.length; i++, at += isShort ? 2 : 4) {
      numbers[i] = isShort ? half(view.getUint16(at, true)) : view.getFloat32(at, true);
    }
    return numbers;
  });
}

// The number that two bytes stand for: a sign, five bits of an exponent, ten of a fraction.
function half(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
