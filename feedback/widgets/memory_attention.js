// Where each head looks in the memory, step by step, beside a parallel model (chapter 5).
//
// Shown is a text with a cell below each token for each head of each model, a player of the step
// that asks, the same numbers as a table, and a sentence (memory_attention.picture.js, .columns.js,
// .table.js). Of a text of T tokens, weight t, j of a head says how much step t reads of step
// j <= t, in a feedback model j < t; memory_attention.py says how the weights are packed and
// memory_attention.numbers.js reads them. The state is the traits `text`, `step`, `layer` and `head`;
// which step is read out is known to the picture alone. Beside a kernel a reader's own text goes to
// Python as `typed` (memory_attention.own.js).

import { menu } from "./base.controls.js";
import { guarded, onChange, save, widget } from "./base.life.js";
import { range } from "./base.numbers.js";
import { element, frame, liveSentence } from "./base.page.js";
import { visible } from "./base.words.js";
import { read, sentenceOf } from "./memory_attention.numbers.js";
import { ownText } from "./memory_attention.own.js";
import { askingPlayer, buildPicture } from "./memory_attention.picture.js";

export default widget(({ model, el }) => {
  const numbered = (count) => range(1, count + 1).map((number) => [number, number]);

  let picture;
  let asks;
  const texts = menu("Text", [], "", (text) => save(model, { text }));
  const layers = menu("Layer", numbered(model.get("layers")), "", (layer) =>
    save(model, { layer: Number(layer) }),
  );
  const allOrOne = [["", "all"], ...numbered(model.get("heads"))];
  const heads = menu("Head", allOrOne, "", (head) =>
    save(model, { head: head ? Number(head) : null }),
  );
  const stage = element("div");
  const sentence = liveSentence(sentenceOf(model, read(model)));
  const own = ownText(model);

  const draw = guarded(el, () => {
    const options = model.get("texts").map((text) => new Option(visible(text), text));
    texts.select.replaceChildren(...options);
    texts.hidden = options.length === 1;
    const { tokens } = read(model);
    // It plays on while another head is chosen.
    if (asks?.count !== tokens.length) asks = askingPlayer(model, tokens.length);
    picture?.stop();
    picture = buildPicture(model, asks);
    stage.replaceChildren(...picture.parts);
    update();
  });
  const update = guarded(el, () => {
    texts.select.value = model.get("text");
    layers.select.value = model.get("layer");
    heads.select.value = model.get("head") ?? "";
    sentence.say(picture.show());
  });

  const controls = element("div", { className: "controls" }, texts, layers, heads);
  el.replaceChildren(
    frame("memory-attention", "Attention over the memory", own.node, controls, stage, sentence),
  );
  draw();
  const offs = [
    own.off,
    onChange(model, ["weights", "text", "head"], draw),
    onChange(model, ["step", "layer"], update),
    () => picture?.stop(),
  ];
  return () => offs.forEach((off) => off());
});
