// Hands the feedback model that was trained on to another widget, which opens below with the same
// weights: a text to the live model, three cups to the one that moves memory vectors.

import { element } from "./base.page.js";
import { randomNumbers } from "./base.random.js";
import { default as liveModel } from "./live_model.js";
import { wholeModel } from "./live_model.whole.js";
import { default as patchTheMemory } from "./patch_the_memory.js";
import { drawRows } from "./patch_the_memory.numbers.js";
import { counted } from "./train_in_the_page.words.js";

const PROMPT = 8; // characters of a text, for the live model to begin with
const NAME = "trained here";

// The widget for each task, and its state: from the sizes of the model and all its `values`.
const RECEIVERS = {
  text: { widget: liveModel, stateOf: toWrite },
  s3: { widget: patchTheMemory, stateOf: toPatch },
};

export const canBeHandedOn = (task) => task in RECEIVERS;

// Writing goes on without end: the model keeps as many memory vectors as it has learned distances.
function toWrite({ sizes, values, text, words }) {
  const { config, weights, mixture } = wholeModel(sizes, values, sizes.distances);
  const prompt = Array.from(text).slice(0, PROMPT).join("");
  return {
    config,
    weights,
    characters: words.join(""),
    learned: mixture,
    layer_weights: mixture,
    prompt,
    text: prompt,
    held_text: "",
    temperature: 0.8,
    top_k: null,
    seed: 0,
    keep_length: false,
  };
}

function toPatch({ sizes, values, longest }) {
  const models = [{ name: NAME, sizes, isShort: false, trained: longest }];
  const weights = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const rows = drawRows(randomNumbers(0));
  return { models, weights, model: NAME, ...rows, put: [], count: 1, part: "all" };
}

// A place for the widget that takes over. open(given) fills it: `task`, `updates`, `sizes`, `values`,
// and for a text that and its `words`, for cups the `longest` rows in training.
export function handingPart() {
  const node = element("div", { className: "handed" });
  let end;
  const close = () => {
    end?.();
    end = undefined;
    node.replaceChildren();
  };
  return {
    node,
    close,
    open(given) {
      close();
      const { widget, stateOf } = RECEIVERS[given.task];
      const says = `The feedback model after ${counted(given.updates)}`;
      const title = element("p", { className: "handed-title", tabIndex: -1, textContent: says });
      const el = element("div");
      node.replaceChildren(title, el);
      end = widget.render({ model: widget.localModel(stateOf(given)), el });
      title.focus();
    },
  };
}
