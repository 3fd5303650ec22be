// Which step fills which cell, and the longest paths: the same as in critical_path.py.

import { range } from "./base.numbers.js";

export const MODELS = ["parallel", "feedback"];

// The step that fills a cell: also the most layers on any one path that ends in it.
export function doneAt(name, token, layer, layers) {
  return name === "parallel" ? layer : token * layers + layer;
}

export const stepsOf = (name, { tokens, layers }) => doneAt(name, tokens - 1, layers, layers);
export const stepsDone = (name, state) => Math.min(state.time, stepsOf(name, state));
export const depth = (name, { end, layers }) => doneAt(name, end, layers, layers);

// The cells [token, layer] on a longest path from the embedding of `start` to output `end`.
export function longestPath(name, { start, end, layers }) {
  const rows = range(1, layers + 1);
  if (name === "parallel") {
    return rows.map((layer) => [start + Math.floor((layer * (end - start)) / layers), layer]);
  }
  return range(start, end + 1).flatMap((token) => rows.map((layer) => [token, layer]));
}

export const layersOnPath = (name, state) => longestPath(name, state).length;

export function tokensOnPath(name, state) {
  return new Set([state.start, ...longestPath(name, state).map(([token]) => token)]).size;
}

export function describe(state) {
  const each = (count) => MODELS.map((name) => `${name} ${count(name)}`).join(", ");
  return (
    `Steps done: ${each((name) => `${stepsDone(name, state)} of ${stepsOf(name, state)}`)}. ` +
    `Layers on the longest path to output ${state.end}: ${each((name) => depth(name, state))}; ` +
    `from token ${state.start}: ${each((name) => layersOnPath(name, state))}.`
  );
}
