// A trained model that writes in the page, without a kernel (chapter 8).
//
// Shown are the text, what may come next, where the heads look, the outputs of the layers, and the
// loss on a held text (live_model.view.js, whose parts have a file each). The state is the settings,
// which are traits: `prompt`, `temperature`, `top_k`, `seed`, `layer_weights` and `keep_length`; all
// else follows from them and from how many characters are wanted. The model runs in
// live_model.engine.js. What there is to compute stands in live_model.tasks.js, and when it is
// computed in live_model.scheduler.js. When the page comes to rest, the trait `text` is what was
// written.

import { guarded, onChange, save, widget } from "./base.life.js";
import { alphabet, createWriter, losses, modelOf } from "./live_model.engine.js";
import { createBeat, createScheduler } from "./live_model.scheduler.js";
import { createLoss, createText } from "./live_model.tasks.js";
import { buildView } from "./live_model.view.js";
import { unpack } from "./live_model.weights.js";

const KEPT = 256; // last characters that can be looked at again
const AGAIN = 500; // characters after the prompt that are written again after a change

export default widget(({ model, el }) => {
  let end;
  const start = guarded(el, () => {
    end?.();
    end = live(model, el);
  });
  start();
  const off = onChange(model, ["held_text"], start);
  return () => {
    off();
    end?.();
  };
});

function live(model, el) {
  const get = (name) => model.get(name);
  // A model that was trained in the page comes with its weights as they are.
  const engine = modelOf(get("config"), get("weights") ?? unpack(get("buffer"), get("tensors")));
  const letters = alphabet(get("characters"));

  let prompt = letters.encode(get("prompt"));
  let wanted = 1; // how many characters there are to be
  let place; // the one that is looked at; undefined: the last
  let playing = false;
  const beat = createBeat(20);

  const memory = () => ({
    mixture: get("layer_weights"),
    lengthOf: get("keep_length") ? get("learned") : undefined,
  });
  const text = createText(
    () => {
      const [temperature, topK, seed] = ["temperature", "top_k", "seed"].map(get);
      return createWriter(engine, prompt, { ...memory(), temperature, topK, seed, kept: KEPT });
    },
    () => wanted,
  );
  const held = createLoss((made) => losses(engine, letters.encode(get("held_text")), made), {
    learned: () => ({ mixture: get("learned") }),
    now: memory,
  });
  const said = decoder(letters.decode);
  const scheduler = createScheduler((action) => guarded(el, action), {
    work() {
      const measured = held.step();
      if (text.step()) return true;
      if (!playing || !beat.isDue()) return measured;
      wanted++;
      return true;
    },
    show,
    isWaiting: () => playing,
    setBusy(busy) {
      view.picture.ariaBusy = String(busy);
      if (!busy) save(model, { text: said(text.written().tokens) });
    },
  });

  // ---- what the reader does ----

  const go = (count) => {
    wanted = count;
    place = undefined;
    scheduler.wake();
  };
  const play = (on) => {
    playing = on;
    beat.begin();
    if (on) go(wanted);
    else scheduler.wake(); // what the reader looks at stays
  };
  const view = buildView(model, letters, {
    step() {
      play(false);
      go(wanted + 1);
      view.animate();
    },
    togglePlay: () => play(!playing),
    startAgain() {
      play(false);
      go(prompt.length);
      text.rewrite();
    },
    setSpeed: (value) => beat.begin(Number(value)),
    lookAt(value) {
      place = value < text.written().tokens.length - 1 ? value : undefined;
      scheduler.wake();
    },
    redraw: scheduler.wake,
    predict: engine.predict,
  });

  function show() {
    const { tokens, records } = text.written();
    const first = tokens.length - records.length;
    const last = tokens.length - 1;
    const shown = Math.min(Math.max(place ?? last, first), last);
    const record = records[shown - first];
    const read = Math.min(prompt.length, tokens.length);
    const now = { playing, busy: text.isOld(), loss: held.loss, keepsLength: get("keep_length") };
    view.show({ tokens, prompt: read, first, place: shown, record, ...now });
  }

  // ---- what the settings do ----

  const change = guarded(el, () => {
    wanted = Math.min(wanted, prompt.length + AGAIN);
    view.showSettings();
    text.rewrite();
    held.measure();
    scheduler.wake();
  });
  const changePrompt = guarded(el, () => {
    prompt = letters.encode(get("prompt"));
    go(prompt.length);
    change();
  });
  const offs = [
    onChange(model, ["temperature", "top_k", "seed", "layer_weights", "keep_length"], change),
    onChange(model, ["prompt"], changePrompt),
    scheduler.end,
  ];

  text.step(); // so that there is something to show
  changePrompt();
  show();
  el.replaceChildren(view.picture);
  return () => offs.forEach((off) => off());
}

// The text of the tokens so far. Where they are those of the last time with some more behind them,
// only these are decoded.
function decoder(decode) {
  let said = {};
  return (tokens) => {
    if (said.tokens !== tokens) said = { tokens, text: "", length: 0 };
    said.text += decode(tokens.slice(said.length));
    said.length = tokens.length;
    return said.text;
  };
}
