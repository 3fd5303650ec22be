// The sentence that says what is seen.

import { percent } from "./base.numbers.js";
import { isSolved } from "./train_in_the_page.director.js";
import { NAMES } from "./train_in_the_page.plan.js";

const WHAT = {
  parity: "the parity of the bits so far",
  s3: "where three cups are after all shuffles so far",
  text: "the next character of the text",
};

const both = (names, say) => names.map((name) => say(name, NAMES[name])).join(", ");

export function sentenceOf({ names, limits, guess, frequencies }, progress, task) {
  const { updates, length, losses, right, solved, asked } = progress;
  if (asked) {
    const found = both(names, (name, said) => {
      const share = asked.right[name].at(-1);
      return `the ${said} model is right in ${percent(share)}\u00a0%`;
    });
    const trained = `No model was trained on more than ${limits.longest} tokens.`;
    return `${trained} At place ${asked.length} of ${asked.rows} longer rows ${found}${guessing(guess)}.`;
  }
  if (updates === 0) {
    return `Nothing has been learned yet. Press Train: asked for is ${WHAT[task]}.`;
  }
  if (task === "text") {
    const found = both(names, (name, said) => {
      return `the ${said} model needs ${losses[name].at(-1)[1].toFixed(2)}`;
    });
    const known = `who knows only how often each character comes, ${frequencies.toFixed(2)}`;
    return `After ${counted(updates)}, in nats a character: ${found}; ${known}.`;
  }
  const found = both(names, (name, said) => {
    const [first, last] = [right[name][0], right[name].at(-1)].map(percent);
    if (isSolved(right[name]))
      return `the ${said} model is right in 99\u00a0% or more at every place`;
    return `the ${said} model is right in ${first}\u00a0% at the first place, ${last}\u00a0% at the last`;
  });
  const first = names.filter((name) => solved[name] === updates);
  const rests = first.length > 0 && !progress.playing ? " Training rests; Train goes on." : "";
  const rows = length < limits.longest ? `, so far on rows of ${length}` : "";
  return `After ${counted(updates)}${rows}: of held-out rows of ${limits.longest}, ${found}${guessing(guess)}.${rests}`;
}

export const counted = (updates) => (updates === 1 ? "1 update" : `${updates} updates`);

function guessing(guess) {
  return guess === undefined ? "" : `; guessing gets ${percent(guess)}\u00a0%`;
}
