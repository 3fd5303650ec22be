// The parameters of a language model, under the names that they have in PyTorch's state_dict.

import { normalNumbers } from "./base.random.js";
import { turn } from "./train_in_the_page.matrices.js";

// Names and shapes, in PyTorch's order. A config has model ("parallel" or "feedback-kv"),
// tokens, d, heads, layers, hidden, distances, memory (null for all) and mixture ("learned", or L+1
// fixed weights).
export function shapesOf(config) {
  const { model, tokens, d, heads, layers, hidden, distances, mixture } = config;
  const parallel = model === "parallel";
  const rows = distances + (parallel ? 1 : 0); // distance 0 has a row of its own
  const norm = (name) => [
    [`${name}.weight`, [d]],
    [`${name}.bias`, [d]],
  ];
  const keysValues = (name) => [
    [`${name}.key.weight`, [d, d]],
    [`${name}.value.weight`, [d, d]],
    ...(parallel ? [[`${name}.value.bias`, [d]]] : []),
  ];
  const layer = (name) => [
    ...norm(`${name}.norm1`),
    [`${name}.attention.u`, [heads, d / heads]],
    [`${name}.attention.r`, [rows, heads, d / heads]],
    [`${name}.attention.s`, [rows, heads]],
    [`${name}.attention.query.weight`, [d, d]],
    [`${name}.attention.output.weight`, [d, d]],
    [`${name}.attention.output.bias`, [d]],
    ...norm(`${name}.norm2`),
    [`${name}.feed_forward.widen.weight`, [hidden, d]],
    [`${name}.feed_forward.widen.bias`, [hidden]],
    [`${name}.feed_forward.narrow.weight`, [d, hidden]],
    [`${name}.feed_forward.narrow.bias`, [d]],
    ...(parallel ? keysValues(`${name}.keys_values`) : []),
  ];
  return [
    ["embedding.weight", [tokens, d]],
    ...norm("core.norm"),
    ...Array.from({ length: layers }, (_, l) => layer(`core.layers.${l}`)).flat(),
    ...(parallel || mixture !== "learned" ? [] : [["core.mixture.w", [layers + 1]]]),
    ...(parallel ? [] : keysValues("core.keys_values.0")),
    ["head.weight", [tokens, d]],
    ["head.bias", [tokens]],
  ];
}

const product = (shape) => shape.reduce((size, n) => size * n, 1);

// All parameters in one array of values and one of gradients; a Map from names to their parts.
export function createParameters(config) {
  const shapes = shapesOf(config);
  const count = shapes.reduce((sum, [, shape]) => sum + product(shape), 0);
  const [values, gradients] = [new Float32Array(count), new Float32Array(count)];
  const named = new Map();
  let from = 0;
  for (const [name, shape] of shapes) {
    const to = from + product(shape);
    const [value, gradient] = [values, gradients].map((all) => all.subarray(from, to));
    const [rows, columns] = [shape[0], product(shape.slice(1))];
    const turned = new Float32Array(shape.length === 2 ? to - from : 0);
    named.set(name, { name, shape, value, gradient, rows, columns, turned, from, to });
    from = to;
  }
  return { values, gradients, named, get: (name) => named.get(name) };
}

// What the way back reads: every matrix turned. To be called when the values have changed.
export function turnMatrices({ named }) {
  for (const { value, turned, rows, columns } of named.values()) {
    if (turned.length > 0) turn(turned, value, columns, 0, rows);
  }
}

// Starting values as PyTorch draws them: the embedding from a normal distribution, a linear map
// evenly within one over the root of what it takes in; gains of norms are 1, all else is 0.
export function initialise({ named }, random) {
  const normal = normalNumbers(random);
  for (const { name, value, columns } of named.values()) {
    const [map, part] = [name.replace(/\.\w+$/, ""), name.replace(/^.*\./, "")];
    if (name === "embedding.weight") value.forEach((_, i) => (value[i] = normal()));
    else if (/norm\d?$/.test(map)) value.fill(part === "weight" ? 1 : 0);
    else if (part === "weight" || part === "bias") {
      const takes = part === "weight" ? columns : named.get(`${map}.weight`).columns;
      value.forEach((_, i) => (value[i] = (2 * random() - 1) / Math.sqrt(takes)));
    } else value.fill(0);
  }
}
