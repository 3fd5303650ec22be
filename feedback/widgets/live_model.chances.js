// What may come next, and how well a held text is expected.

import { mean, percent, range } from "./base.numbers.js";
import { element } from "./base.page.js";
import { visible } from "./base.words.js";
import { barOf, note, part, setText, titleOf } from "./live_model.elements.js";
import { distribution } from "./live_model.engine.js";

const BARS = 10; // characters of which it is shown how likely they come next

export function nextPart(model, { characters, decode }) {
  const bars = range(0, Math.min(BARS, characters.length)).map(() => barOf());
  const title = "What may come next";
  const legend = note(
    "Bar: what is drawn from. Line: what the model says, before temperature and top-k.",
  );
  return {
    node: part(title, titleOf(title), ...bars.map(({ node }) => node), legend),
    show({ tokens, place, record }) {
      const settings = { temperature: model.get("temperature"), topK: model.get("top_k") };
      const choices = distribution(record.logits, settings);
      bars.forEach(({ label, track, number, node }, i) => {
        const [token, share, own] = choices[i];
        const drawn = tokens[place + 1] === token;
        setText(label, visible(decode([token])));
        setText(number, `${percent(share)}\u00a0%`);
        track.style.setProperty("--share", `${(100 * share).toFixed(1)}%`);
        track.style.setProperty("--own", `${(100 * own).toFixed(1)}%`);
        node.toggleAttribute("data-drawn", drawn);
        node.title = drawn ? "this one came next" : "";
      });
    },
  };
}

export function lossPart(model, { characters }) {
  const text = Array.from(model.get("held_text"));
  const [learned, now] = ["learned weights", "these weights"].map((name) => {
    const bar = barOf("bar loss");
    bar.label.textContent = name;
    return bar;
  });
  const letters = text.map((character) => element("span", { textContent: character }));
  const title = "Loss on a held text";
  const guessing = Math.log(characters.length);
  const legend = note(
    "The stronger its shade, the less a character was expected. " +
      `A full bar is as bad as guessing, ${guessing.toFixed(2)} nats.`,
  );
  const held = element("p", { className: "held" }, ...letters);
  let drawn;
  return {
    node: part(title, titleOf(title), learned.node, now.node, held, legend),
    show({ loss }) {
      if (!loss.now || loss.now === drawn) return;
      drawn = loss.now;
      for (const [bar, found] of [
        [learned, loss.learned],
        [now, loss.now],
      ]) {
        setText(bar.number, `${mean(found).toFixed(2)} nats`);
        const share = Math.min(1, mean(found) / guessing);
        bar.track.style.setProperty("--share", `${(100 * share).toFixed(1)}%`);
      }
      loss.now.forEach((value, i) => {
        letters[i + 1].style.setProperty("--share", `${Math.min(45, 9 * value).toFixed(0)}%`);
      });
    },
  };
}
