// What the settings of a reader come to: what each model starts from, and what may be shown of it.

import { createTask, lossOfFrequencies } from "./train_in_the_page.tasks.js";

export const SETTINGS = [
  "task",
  "text",
  "models",
  "layers",
  "memory_size",
  "mixture",
  "learning_rate",
  "seed",
];
const TIMES = [2, 4, 8, 16, 32]; // as long as the longest rows in training may rows be, later
export const NAMES = { parallel: "parallel", "feedback-kv": "feedback" };

// `get` gives a trait by its name.
export function createPlan(get) {
  const sizes = get("sizes");
  const { hidden, shortest, longest } = sizes[get("task")];
  const [d, heads, distances] = [sizes.d, sizes.heads, sizes.distances ?? longest];
  const task = createTask(get("task"), get("text"));
  const shape = { d, heads, layers: get("layers"), hidden: sizes.hidden ?? hidden, distances };
  const configs = {
    parallel: { model: "parallel", ...shape, memory: null },
    "feedback-kv": {
      model: "feedback-kv",
      ...shape,
      memory: get("memory_size"),
      mixture: mixtureOf(get("mixture"), get("layers")),
    },
  };
  const settings = {
    task: get("task"),
    text: get("text"),
    seed: get("seed"),
    batch: sizes.batch,
    longest,
    rate: get("learning_rate"),
    decay: sizes.decay,
    clip: sizes.clip,
  };
  const names = get("models") === "both" ? Object.keys(NAMES) : [get("models")];
  const begin = Object.fromEntries(
    names.map((name) => {
      const config = configs[name];
      return [name, { config, settings, weights: startOf(get, config, task.tokens) }];
    }),
  );
  return {
    names,
    begin,
    limits: { shortest, longest },
    longer: TIMES.map((times) => times * longest).filter((length) => length < task.longest),
    tokens: task.tokens,
    words: task.words,
    sizesOf: (name) => ({ ...configs[name], tokens: task.tokens }), // of a model with its vocabulary
    guess: get("task") === "text" ? undefined : 1 / task.tokens, // the share that guessing gets right
    frequencies: get("task") === "text" ? lossOfFrequencies(get("text")) : Math.log(task.tokens),
  };
}

function mixtureOf(mixture, layers) {
  if (mixture === "learned") return mixture;
  const chosen = mixture === "embedding" ? 0 : layers;
  return Array.from({ length: layers + 1 }, (_, l) => (l === chosen ? 1 : 0));
}

// Weights of a model that Python gave, for a run of the same shape; else none.
function startOf(get, config, tokens) {
  const [view, given] = [get("start"), get("start_config")];
  const wanted = { ...config, tokens };
  if (!view) return undefined;
  const same = Object.keys(wanted).every(
    (name) => JSON.stringify(wanted[name]) === JSON.stringify(given[name]),
  );
  if (!same) return undefined;
  // A copy, because a Float32Array cannot begin at any byte.
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
  return new Float32Array(bytes.buffer);
}
