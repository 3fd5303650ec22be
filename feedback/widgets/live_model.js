// A trained model that writes in the page (chapter 8). The model itself stands in
// live_model.engine.js, the parts of the picture in live_model.parts.js. Here is what is computed
// when: everything a little at a time, between two pictures, so that the page stays quick.

const SLICE = 10; // milliseconds of work between two pictures
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
  const set = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };
  const { characters, encode, decode } = alphabet(get("characters"));
  const engine = createModel({ config: get("config"), tensors: get("tensors"), weights: get("buffer") });
  let prompt = encode(get("prompt"));
  const begin = () => {
    const names = ["layer_weights", "temperature", "top_k", "seed"];
    const [mixture, temperature, topK, seed] = names.map(get);
    return createWriter(engine, prompt, { mixture, temperature, topK, seed, kept: KEPT });
  };

  let writer = begin();
  let said = {}; // what was written when it last came to rest
  let wanted; // how many characters there are to be
  let place; // the one that is looked at; undefined: the last
  let playing = false;
  let perSecond = 20;
  let due = 0;
  let ended = false;
  let awake = false;
  let stale = false;

  // ---- what there is to do ----

  // After a change of settings the text is written again. Until that is done, the old one is shown.
  const rewriting = background(function* () {
    const next = begin();
    while (next.tokens.length < wanted) yield next.next();
    writer = next;
  });

  const loss = {}; // of each character of the held text: with the learned layer weights, and `now`
  const measuring = background(function* () {
    loss.learned ??= yield* measure(get("learned"));
    loss.now = yield* measure(get("layer_weights"));
  });
  function* measure(mixture) {
    const found = [];
    for (const one of losses(engine, encode(get("held_text")), mixture)) yield found.push(one);
    return found;
  }

  // Does a little; false if there is nothing to do.
  function work() {
    const measured = measuring.step();
    if (rewriting.step()) return true;
    if (writer.tokens.length < wanted) {
      writer.next();
      return true;
    }
    if (!playing || performance.now() < due) return measured;
    wanted++;
    due = Math.max(due + 1000 / perSecond, performance.now());
    return true;
  }

  const frame = guarded(el, () => {
    if (ended) return;
    const end = performance.now() + SLICE;
    let more = true;
    while (more && performance.now() < end) {
      more = work();
      stale ||= more;
    }
    if (stale) show();
    stale = false;
    awake = more || playing;
    if (awake) return requestAnimationFrame(frame);
    view.picture.ariaBusy = "false";
    sayText();
  });
  function sayText() {
    const { tokens } = writer;
    if (said.tokens !== tokens) said = { tokens, text: "", length: 0 };
    said.text += decode(tokens.slice(said.length));
    said.length = tokens.length;
    set("text", said.text);
  }
  // The picture is no longer true, and there may be something to do.
  function wake() {
    stale = true;
    if (awake || ended) return;
    awake = true;
    view.picture.ariaBusy = "true";
    requestAnimationFrame(frame);
  }

  // ---- what the reader does ----

  const go = (count) => {
    wanted = count;
    place = undefined;
    wake();
  };
  const play = (on) => {
    playing = on;
    due = performance.now();
    if (on) go(wanted);
    else wake(); // what the reader looks at stays
  };
  const view = buildView(model, { characters, encode, decode }, {
    set,
    step() {
      play(false);
      go(wanted + 1);
      view.animate();
    },
    togglePlay: () => play(!playing),
    startAgain() {
      play(false);
      go(prompt.length);
      rewriting.ask();
    },
    setSpeed(value) {
      perSecond = Number(value);
      due = performance.now();
    },
    lookAt(value) {
      place = value < writer.tokens.length - 1 ? value : undefined;
      wake();
    },
    redraw: wake,
  });

  function show() {
    const { tokens, records } = writer;
    const first = tokens.length - records.length;
    const last = tokens.length - 1;
    const shown = Math.min(Math.max(place ?? last, first), last);
    const busy = rewriting.isBusy();
    const record = records[shown - first];
    const read = Math.min(prompt.length, tokens.length);
    view.show({ tokens, prompt: read, first, place: shown, record, playing, busy, loss });
  }

  const change = guarded(el, () => {
    wanted = Math.min(wanted, prompt.length + AGAIN);
    view.showSettings();
    rewriting.ask();
    measuring.ask();
    wake();
  });
  const changePrompt = guarded(el, () => {
    prompt = encode(get("prompt"));
    go(prompt.length);
    change();
  });
  const offs = [
    onChange(model, ["temperature", "top_k", "seed", "layer_weights"], change),
    onChange(model, ["prompt"], changePrompt),
  ];

  writer.next();
  changePrompt();
  show();
  el.replaceChildren(view.picture);
  return () => {
    ended = true;
    offs.forEach((off) => off());
  };
}

// Work in small steps, begun anew when asked for. Asked meanwhile, it ends first and then begins
// again, so that somebody who drags a slider sees results on the way.
function background(begin) {
  let [running, again] = [undefined, false];
  return {
    ask() {
      if (running) again = true;
      else running = begin();
    },
    isBusy: () => running !== undefined,
    step() {
      if (!running) return false;
      if (running.next().done) [running, again] = [again ? begin() : undefined, false];
      return true;
    },
  };
}
