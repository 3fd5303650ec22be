// Who trains: a worker, or where none may start the page itself, a little at a time. Either is asked
// by name, as in commands.js, and answers with a promise.

import { createCommands } from "./train_in_the_page.commands.js";

const SLICE = 8; // milliseconds of work before the page may do something else

export async function createTrainer() {
  try {
    return await inWorker();
  } catch (_error) {
    return inSlices(); // a page's policy, or an old browser
  }
}

function inWorker() {
  const address = new URL("./train_in_the_page.worker.js", import.meta.url);
  const worker = new Worker(address);
  const waiting = new Map();
  let asked = 0;
  const ask = (name, given) =>
    new Promise((resolve, reject) => {
      waiting.set(++asked, { resolve, reject });
      worker.postMessage({ id: asked, name, given });
    });
  const end = () => worker.terminate();
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(event.message ?? "no worker could start");
      waiting.forEach((one) => one.reject(error));
      end();
      reject(error);
    };
    worker.onmessage = ({ data: { ready, id, result, error } }) => {
      if (ready) {
        URL.revokeObjectURL(address);
        return resolve({ ask, end, isWorker: true });
      }
      const one = waiting.get(id);
      waiting.delete(id);
      if (error === undefined) one.resolve(result);
      else one.reject(new Error(error));
    };
  });
}

export function inSlices() {
  const commands = createCommands();
  let ended = false;
  // Works on for a slice, and comes back to the rest after what the page has to do.
  const ask = (name, given) =>
    new Promise((resolve, reject) => {
      const work = commands[name](given);
      const slice = () => {
        if (ended) return;
        try {
          const until = performance.now() + SLICE;
          let step = work.next();
          while (!step.done && performance.now() < until) step = work.next();
          if (step.done) resolve(step.value);
          else setTimeout(slice);
        } catch (error) {
          reject(error);
        }
      };
      setTimeout(slice);
    });
  return { ask, end: () => (ended = true), isWorker: false };
}
