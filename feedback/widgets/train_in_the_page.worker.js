// The first file of a worker: it answers one question after another.

import { createCommands } from "./train_in_the_page.commands.js";
import { finish } from "./train_in_the_page.run.js";

const commands = createCommands();

// The answer to a question of trainers.js; an error is one, too.
export function answer({ id, name, given }) {
  try {
    return { id, result: finish(commands[name](given)) };
  } catch (error) {
    return { id, error: error.message };
  }
}

globalThis.onmessage = ({ data }) => postMessage(answer(data));
if (globalThis.postMessage && !globalThis.document) postMessage({ ready: true });
