// When the live model computes what.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  background,
  createBeat,
  createScheduler,
} from "../../feedback/widgets/live_model.scheduler.js";
import { createLoss, createText } from "../../feedback/widgets/live_model.tasks.js";

// A page whose pictures are drawn by hand, and a clock that moves by 1 ms at each look.
function page(context) {
  let [time, next] = [0, undefined];
  context.mock.method(performance, "now", () => time++);
  globalThis.requestAnimationFrame = (frame) => {
    assert.equal(next, undefined, "two pictures at once");
    next = frame;
  };
  return {
    isWaiting: () => next !== undefined,
    wait: (milliseconds) => (time += milliseconds),
    draw() {
      const frame = next;
      next = undefined;
      frame();
    },
  };
}

function scheduled(context, amount) {
  const { draw, isWaiting } = page(context);
  const log = [];
  const state = { left: amount, waits: false };
  const scheduler = createScheduler((action) => action, {
    work: () => state.left > 0 && state.left-- > 0,
    show: () => log.push(`show ${state.left}`),
    isWaiting: () => state.waits,
    setBusy: (busy) => log.push(busy ? "busy" : "rest"),
  });
  return { draw, isWaiting, log, state, scheduler };
}

test("it works some milliseconds a picture, shows what came of it, and rests", (context) => {
  const { draw, isWaiting, log, scheduler } = scheduled(context, 15);
  scheduler.wake();
  scheduler.wake();
  let pictures = 0;
  for (; isWaiting(); pictures++) draw();
  assert.equal(pictures, 2); // 10 ms each
  assert.deepEqual([log[0], log.at(-2), log.at(-1)], ["busy", "show 0", "rest"]);
  assert.equal(log.length, 4);
});

test("with nothing to do it draws once and rests", (context) => {
  const { draw, isWaiting, log, scheduler } = scheduled(context, 0);
  scheduler.wake();
  draw();
  assert.ok(!isWaiting());
  assert.deepEqual(log, ["busy", "show 0", "rest"]);
});

test("while there will be more to do it looks again and draws only what changed", (context) => {
  const { draw, isWaiting, log, state, scheduler } = scheduled(context, 0);
  state.waits = true;
  scheduler.wake();
  for (let i = 0; i < 3; i++) draw();
  assert.ok(isWaiting());
  assert.deepEqual(log, ["busy", "show 0"]);
  state.left = 1;
  state.waits = false;
  draw();
  assert.deepEqual(log, ["busy", "show 0", "show 0", "rest"]);
});

test("a scheduler that has ended does nothing more", (context) => {
  const { draw, isWaiting, log, scheduler } = scheduled(context, 5);
  scheduler.wake();
  scheduler.end();
  draw();
  scheduler.wake();
  assert.ok(!isWaiting());
  assert.deepEqual(log, ["busy"]);
});

test("one that has ended at rest stays there", (context) => {
  const { isWaiting, log, scheduler } = scheduled(context, 0);
  scheduler.end();
  scheduler.wake();
  assert.ok(!isWaiting());
  assert.deepEqual(log, []);
});

test("work that is asked for while it runs ends first and then begins again, once", () => {
  const begun = [];
  const task = background(function* () {
    begun.push(begun.length);
    yield;
    yield;
  });
  assert.equal(task.step(), false);
  task.ask();
  task.step();
  task.ask();
  task.ask();
  let steps = 0;
  while (task.step()) steps++;
  assert.deepEqual(begun, [0, 1]);
  assert.equal(steps, 2 + 3); // the rest of the first, and all of the second
  assert.equal(task.isBusy(), false);
});

test("a beat comes so many times a second, and what was missed is not made up for", (context) => {
  const { wait } = page(context);
  const beat = createBeat(20);
  beat.begin();
  const due = () => {
    let count = 0;
    for (let i = 0; i < 10; i++) count += beat.isDue();
    return count;
  };
  assert.equal(due(), 1);
  wait(50);
  assert.equal(due(), 1);
  wait(5000);
  assert.ok(due() <= 2);
  beat.begin(Infinity);
  assert.equal(due(), 10);
});

// ---- tasks ----

const writerOf = (letter) => {
  const tokens = [];
  return { tokens, next: () => tokens.push(letter) };
};

test("a text grows to the length that is wanted, and is shown until another is as long", () => {
  let [letter, wanted] = ["a", 3];
  const text = createText(
    () => writerOf(letter),
    () => wanted,
  );
  while (text.step());
  assert.deepEqual(text.written().tokens, ["a", "a", "a"]);
  letter = "b";
  text.rewrite();
  text.step();
  text.step();
  assert.ok(text.isOld());
  assert.deepEqual(text.written().tokens, ["a", "a", "a"]);
  while (text.step());
  assert.ok(!text.isOld());
  assert.deepEqual(text.written().tokens, ["b", "b", "b"]);
  wanted = 4;
  assert.ok(text.step() && !text.step());
  assert.equal(text.written().tokens.length, 4);
});

test("the loss with the learned weights is measured once", () => {
  const measured = [];
  let now = "equal";
  const weights = { learned: () => "learned", now: () => now };
  const { loss, measure, step } = createLoss((mixture) => {
    measured.push(mixture);
    return [mixture.length, 1];
  }, weights);
  measure();
  while (step());
  now = "first";
  measure();
  while (step());
  assert.deepEqual(measured, ["learned", "equal", "first"]);
  assert.deepEqual(loss, { learned: [7, 1], now: [5, 1] });
});
