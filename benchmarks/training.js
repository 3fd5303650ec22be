// Trains as the page does, in two workers, and says how long it took; training.py starts this.

import { readFileSync } from "node:fs";
import { Worker as Thread } from "node:worker_threads";

// Node's workers, as a browser has them.
const START = `
const { parentPort, workerData } = require("node:worker_threads");
globalThis.postMessage = (message) => parentPort.postMessage(message);
parentPort.on("message", (data) => globalThis.onmessage({ data }));
import(workerData);
`;
globalThis.Worker = class {
  constructor(address) {
    this.thread = new Thread(START, { eval: true, workerData: String(address) });
    this.thread.on("message", (data) => this.onmessage({ data }));
    this.thread.on("error", (error) => this.onerror({ ...error, preventDefault() {} }));
  }
  postMessage(message) {
    this.thread.postMessage(message);
  }
  terminate() {
    this.thread.terminate();
  }
};

const PARTS = "../feedback/widgets/train_in_the_page.";
const [{ createDirector }, { createPlan }, { createTrainer }] = await Promise.all(
  ["director", "plan", "trainers"].map((part) => import(`${PARTS}${part}.js`)),
);

// Until the feedback model has solved the task, or the time is over.
async function train(traits, limit) {
  const begun = performance.now();
  const taken = () => (performance.now() - begun) / 1000;
  const before = process.cpuUsage();
  const plan = createPlan((name) => traits[name]);
  const trainers = {};
  for (const name of plan.names) trainers[name] = await createTrainer();
  const workers = Object.values(trainers).every(({ isWorker }) => isWorker);
  const director = createDirector(trainers, plan.begin, plan.limits, ({ solved, losses }) => {
    const loss = losses["feedback-kv"].at(-1)?.[1];
    const done = traits.task === "text" ? loss < plan.frequencies - 0.5 : solved["feedback-kv"];
    if (done || taken() > limit) director.pause();
  });
  await director.play();
  const { updates, right, solved, losses } = director.progress;
  const seconds = taken();
  const { user, system } = process.cpuUsage(before); // of all threads
  director.end();
  const loss = losses["feedback-kv"].at(-1)[1];
  const { frequencies } = plan;
  const processor = (user + system) / 1e6;
  return { seconds, processor, workers, updates, right, solved, loss, frequencies };
}

const { traits, seeds, limits } = JSON.parse(readFileSync(0, "utf-8"));
for (const [task, limit] of Object.entries(limits)) {
  for (let seed = 0; seed < seeds; seed++) {
    const found = await train({ ...traits, task, seed }, limit);
    console.log(JSON.stringify({ task, seed, limit, ...found }));
  }
}
