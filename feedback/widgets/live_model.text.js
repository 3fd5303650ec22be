// The text, which of its characters is looked at, and the sentence.

import { slider } from "./base.controls.js";
import { listen } from "./base.life.js";
import { mean, percent } from "./base.numbers.js";
import { element, liveSentence } from "./base.page.js";
import { quoted, visible } from "./base.words.js";
import { setText } from "./live_model.elements.js";
import { distribution } from "./live_model.engine.js";

const BLOCK = [1000, 4000]; // characters of a block of text: it ends with a line, if it can
const SAID = 20; // characters that the sentence repeats

export function textPart({ characters, decode }, { lookAt }) {
  // Prompt and continuation before the marked character, that character, and both after it.
  const pieces = ["b", "span", "mark", "b", "span"].map((tag) => element(tag));
  const tail = element("div", {}, ...pieces);
  const box = element("pre", { className: "text", tabIndex: 0, role: "group" }, tail);
  box.ariaLabel = "The text so far";
  // Where a block had to end within a line, the copy goes on.
  listen(box, "copy", (event) => {
    const range = getSelection().getRangeAt(0);
    if (!box.contains(range.commonAncestorContainer)) return;
    event.clipboardData.setData("text/plain", String(range));
    event.preventDefault();
  });
  const chosen = slider("Character to look at", { step: 1 }, lookAt);
  chosen.dataset.steps = ""; // of all sliders the one that projector mode moves
  const which = element("output");
  const place = element("div", { className: "place" }, which, chosen);
  const sentence = liveSentence("The model reads its prompt.", 600); // silent while it plays

  // What can no longer be looked at is put into blocks that stay as they are: a browser lays a block
  // out as a whole, so in one block each character would take longer than the last.
  let written;
  let settled;
  const settle = ({ tokens, first, prompt }) => {
    if (tokens !== written) {
      box.replaceChildren(tail);
      [written, settled] = [tokens, 0];
    }
    let end;
    while ((end = endOfBlock(tokens, settled, first))) {
      const cut = Math.min(Math.max(settled, prompt), end);
      const own = element("b", { textContent: decode(tokens.slice(settled, cut)) });
      tail.before(element("div", {}, own, decode(tokens.slice(cut, end))));
      settled = end;
    }
  };
  const newLine = characters.indexOf("\n");
  const endOfBlock = (tokens, start, limit) => {
    for (let end = start + BLOCK[0]; end <= limit; end++) {
      if (tokens[end - 1] === newLine || end === start + BLOCK[1]) return end;
    }
  };

  return {
    node: element("div", {}, box, place, sentence),
    show(now) {
      const { tokens, first, place, prompt, record, busy, loss, keepsLength } = now;
      settle(now);
      box.toggleAttribute("data-old", busy);
      const ends = [Math.max(settled, Math.min(place, prompt)), place, place + 1];
      const cuts = [settled, ...ends, Math.max(place + 1, prompt), tokens.length];
      pieces.forEach((piece, i) => setText(piece, decode(tokens.slice(cuts[i], cuts[i + 1]))));
      if (pieces[2].textContent === "\n") pieces[2].textContent = "\u21b5\n";
      const last = tokens.length - 1;
      if (place === last) box.scrollTop = box.scrollHeight;
      Object.assign(chosen, { min: first, max: last, value: place });
      const name = quoted(visible(decode([tokens[place]])));
      which.value = `Character ${place + 1} of ${tokens.length}: ${name}`;
      chosen.ariaValueText = which.value;
      const before = decode(tokens.slice(Math.max(0, place + 1 - SAID), place + 1));
      if (!busy) sentence.say(describe(before, record, decode, loss, keepsLength));
    },
  };
}

// The same words as LiveModel.describe in Python.
function describe(text, { logits }, decode, loss, keepsLength) {
  const best = distribution(logits, { temperature: 1 }).slice(0, 3);
  const likeliest = best.map(
    ([token, share]) => `${quoted(decode([token]))} ${percent(share)}\u00a0%`,
  );
  const which = `After ${quoted(text)}, the likeliest next characters before temperature and top-k:`;
  const said = [`${which} ${likeliest.join(", ")}.`];
  if (loss.now?.length) {
    said.push(`Loss on the held text: ${mean(loss.now).toFixed(2)} nats a character.`);
  }
  if (keepsLength) said.push("The memory keeps its learned length.");
  return said.join(" ");
}
