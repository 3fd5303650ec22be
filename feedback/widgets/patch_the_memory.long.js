// Models that read on and on: all of them the same shuffles, while wrong answers are counted.

import { button } from "./base.controls.js";
import { grouped, percent, range } from "./base.numbers.js";
import { element, liveSentence } from "./base.page.js";
import { randomNumbers } from "./base.random.js";
import { createScheduler } from "./live_model.scheduler.js";
import { answerOf, CUPS } from "./patch_the_memory.numbers.js";

export const LONGEST = 4096; // shuffles
const BLOCK = 128; // shuffles of a cell

// What several readers answer to one row of shuffles; each call of step() is a shuffle for one of
// them. `wrong` counts by reader and block, `first` is the shuffle at which one was wrong first.
export function createCount(readers, seed) {
  const steps = readers.map((reader) => reader.begin());
  const random = randomNumbers(seed);
  const wrong = readers.map(() => []);
  const first = readers.map(() => undefined);
  let [read, state, token, next] = [0, 0, 0, 0];
  return {
    wrong,
    first,
    read: () => read, // shuffles that all have read
    step() {
      if (read >= LONGEST) return false;
      if (next === 0) {
        token = Math.floor(random() * CUPS.tokens);
        state = CUPS.after(state, token);
      }
      const isWrong = answerOf(steps[next](token).logits).answer !== state;
      const block = Math.floor(read / BLOCK);
      wrong[next][block] = (wrong[next][block] ?? 0) + (isWrong ? 1 : 0);
      if (isWrong) first[next] ??= read + 1;
      next = (next + 1) % steps.length;
      if (next === 0) read++;
      return true;
    },
  };
}

export const total = (counts) => counts.reduce((sum, n) => sum + n, 0);

export function sentenceOf(names, { wrong, first, read }, trained) {
  if (read() === 0) {
    return `The models were trained on rows of ${trained} shuffles. Press Run on to let them read ${grouped(LONGEST)}.`;
  }
  const each = names.map((name, i) =>
    first[i] === undefined
      ? `${name} has no wrong answer`
      : `${name} has ${grouped(total(wrong[i]))} wrong, the first at shuffle ${grouped(first[i])}`,
  );
  return `After ${grouped(read())} shuffles, trained on ${trained}: ${each.join("; ")}.`;
}

// `readers()` are made when they are first needed. `safely` guards what runs by itself.
export function longPart(names, trained, readers, safely) {
  const lines = names.map((name) => {
    const cells = range(0, LONGEST / BLOCK).map(() => element("span", { data: { empty: "" } }));
    const strip = element("div", { className: "blocks", role: "img" }, ...cells);
    const number = element("span", { className: "count" });
    const label = element("span", { textContent: name });
    return {
      cells,
      strip,
      number,
      node: element("div", { className: "long" }, label, strip, number),
    };
  });
  const title = element("p", { className: "title", textContent: "Let them run on" });
  const legend = element("p", { className: "note" });
  legend.textContent = `A cell is ${BLOCK} shuffles: full where every answer is wrong, empty where none is. Guessing is wrong in ${percent(5 / 6)}\u00a0%.`;
  const sentence = liveSentence("", 1000);
  let [count, seed, playing] = [undefined, 0, false];

  const scheduler = createScheduler(safely, {
    work() {
      if (!playing) return false;
      count ??= createCount(readers(), seed);
      if (count.step()) return true;
      playing = false;
      return false;
    },
    show,
    isWaiting: () => false,
    setBusy: (busy) => (node.ariaBusy = String(busy)),
  });
  const play = button("Run on", () => {
    playing = !playing;
    if (playing && count?.read() === LONGEST) count = undefined;
    scheduler.wake();
  });
  const again = button("Other shuffles", () => {
    seed++;
    count = undefined;
    scheduler.wake();
  });

  function show() {
    play.textContent = playing ? "Pause" : "Run on";
    const now = count ?? { wrong: names.map(() => []), first: [], read: () => 0 };
    lines.forEach(({ cells, strip, number }, i) => {
      const wrong = now.wrong[i];
      cells.forEach((cell, block) => {
        const done = Math.min(BLOCK, now.read() - block * BLOCK);
        cell.toggleAttribute("data-empty", wrong[block] === undefined);
        const share = done > 0 ? (wrong[block] ?? 0) / done : 0;
        cell.style.setProperty("--share", `${Math.min(100, 100 * share).toFixed(0)}%`);
      });
      number.textContent = `${grouped(total(wrong))} wrong`;
      strip.ariaLabel = `${names[i]}: ${number.textContent} of ${grouped(now.read())}`;
    });
    sentence.say(sentenceOf(names, now, trained));
  }

  const controls = element("div", { className: "controls" }, play, again);
  const node = element("div", { className: "run" }, title, controls);
  node.append(...lines.map((line) => line.node), legend, sentence);
  show();
  return { node, end: scheduler.end };
}
