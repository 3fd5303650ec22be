// Weights of layers, and the vector that they mix: the same as in layer_memory_weights.py.

import { grouped, percent } from "./base.numbers.js";

export function mixture(outputs, weights) {
  return outputs[0].map((_, i) => outputs.reduce((sum, row, l) => sum + weights[l] * row[i], 0));
}

// All weight on one layer.
export const onlyLayer = (weights, index) => weights.map((_, l) => (l === index ? 1 : 0));
export const areEqual = (some, others) =>
  some.every((weight, l) => Math.abs(weight - others[l]) < 5e-4);

// The line of a history whose weights are the nearest.
export function nearest(history, weights) {
  const distances = history.map(([, line]) => Math.hypot(...line.map((w, l) => w - weights[l])));
  return distances.indexOf(Math.min(...distances));
}

export const stepName = (step) => `step ${grouped(step)}`;

function shares(labels, weights) {
  return labels.map((label, l) => `${percent(weights[l])}\u00a0% ${label}`).join(", ");
}

export function describe(labels, weights) {
  return `Memory: ${shares(labels, weights)}.`;
}

export function describeHistory(history, labels) {
  const [[first, before], [last, after]] = [history[0], history.at(-1)];
  return (
    `From ${stepName(first)} to ${stepName(last)} training moved the weights from ` +
    `${shares(labels, before)} to ${shares(labels, after)}.`
  );
}
