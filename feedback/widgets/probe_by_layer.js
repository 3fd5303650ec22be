// Linear probes fitted in the page: where in a model can the state be read? (chapter 10)
//
// The state is three traits: the `model` that is looked into, the `target` of the probes, and the
// `row` that they are tried on. Nothing is fitted before a reader asks for it. What is fitted to
// what stands in probe_by_layer.data.js. When all probes are fitted, the trait `results` says how
// often each was right.

import { button, menu } from "./base.controls.js";
import { guarded, onChange, save, widget } from "./base.life.js";
import { range } from "./base.numbers.js";
import { element, frame, liveSentence } from "./base.page.js";
import { randomNumbers } from "./base.random.js";
import { background, createScheduler } from "./live_model.scheduler.js";
import { readerOf, unpackWhole } from "./live_model.whole.js";
import { drawStep } from "./patch_the_memory.cups.js";
import { CUPS, cupsOf, statesOf, TOTAL } from "./patch_the_memory.numbers.js";
import { askedOf, placesOf, probeAll, wilson } from "./probe_by_layer.data.js";
import { createParameters, initialise } from "./train_in_the_page.parameters.js";

const UNTRAINED = "untrained";
const TARGETS = [
  ["now", "the state after this shuffle"],
  ["before", "the state before it"],
  ["shuffled", "labels dealt out at random"],
];
const MOST = 32; // steps of a row that a probe is fitted to, and more
const KEY =
  "A bar is the share of right answers on rows that no probe was fitted to, with its 95 % interval; " +
  "the line in it is a guess. Below each, what the probe reads at each step of one row; " +
  "what is wrong is struck through. (No probe was fitted to a first step.)";

export default widget(({ model, el }) => {
  const get = (name) => model.get(name);
  const models = get("models");
  const names = models.map(({ name }) => name);
  const numbers = unpackWhole(get("weights"), models);
  const safely = (action) => guarded(el, action);

  function readerNamed(name) {
    const i = Math.max(0, names.indexOf(name));
    if (name !== UNTRAINED) return readerOf(models[i].sizes, numbers[i], MOST);
    const parameters = createParameters(models[0].sizes);
    initialise(parameters, randomNumbers(1));
    return readerOf(models[0].sizes, parameters.values, MOST);
  }

  const all = [...names, UNTRAINED].map((name) => [name, name]);
  const which = menu("model", all, get("model"), (name) => save(model, { model: name }));
  const target = menu("the probes read", TARGETS, get("target"), (target) =>
    save(model, { target }),
  );
  const fit = button("Fit the probes", () => {
    isWanted = true;
    begin();
  });
  const sentence = liveSentence("", 600);
  const places = placesOf(models[0].sizes.layers);
  const lines = [placeLine("asked for"), ...places.map(({ name }) => placeLine(name))];
  let isWanted = false;
  let found = [];

  const fitting = background(function* () {
    found = [];
    const reader = readerNamed(get("model"));
    const row = get("row").map(reader.begin());
    yield* probeAll(reader, places, get("target"), 0, (i, { probe, held, done }) => {
      found[i] = { held, done, reads: row.map((record) => probe.read(places[i].of(record))) };
    });
    const results = Object.fromEntries(
      found.map(({ held, done }, i) => [places[i].name, [held, done]]),
    );
    save(model, { results });
  });
  const scheduler = createScheduler(safely, {
    work: fitting.step,
    show,
    isWaiting: () => false,
    setBusy: (busy) => (picture.ariaBusy = String(busy)),
  });

  function begin() {
    if (isWanted) fitting.ask();
    else found = [];
    scheduler.wake();
  }

  function show() {
    which.select.value = get("model");
    target.select.value = get("target");
    const asked = askedOf(statesOf(get("row")), get("target") === "before" ? "before" : "now");
    lines[0].show(asked, asked);
    places.forEach((_, i) => lines[i + 1].show(asked, undefined, found[i]));
    const said = describe(get("model"), get("target"), places, found);
    sentence.say(fitting.isBusy() ? "Probes are being fitted." : said);
  }

  const picture = frame(
    "probe-by-layer",
    "What linear probes read at each place of a model",
    element("div", { className: "controls" }, which, target, fit),
    ...lines.map(({ node }) => node),
    element("p", { className: "note", textContent: KEY }),
    sentence,
  );
  show();
  el.replaceChildren(picture);
  const off = onChange(model, ["model", "target", "row"], () => begin());
  return () => {
    off();
    scheduler.end();
  };
});

// A place of the model: how often its probe is right, and what it reads at each step of the row.
function placeLine(name) {
  const [label, number] = [name, ""].map((textContent) => element("span", { textContent }));
  const track = element("span", { className: "track", ariaHidden: "true" });
  const steps = range(0, TOTAL).map(() => element("span", { className: "step" }));
  const cells = element("div", { className: "line", role: "img" }, ...steps);
  const head = element("div", { className: "place" }, label, track, number);
  return {
    node: element("div", {}, head, cells),
    show(asked, known, result) {
      track.hidden = !result;
      number.textContent = "";
      if (result) {
        const [low, high] = wilson(result.held, result.done);
        const share = result.held / result.done;
        number.textContent = `${share.toFixed(2)} (${low.toFixed(2)}\u2013${high.toFixed(2)})`;
        for (const [side, value] of Object.entries({ share, low, high })) {
          track.style.setProperty(`--${side}`, `${(100 * value).toFixed(1)}%`);
        }
      }
      const states = known ?? result?.reads.map(({ state }) => state);
      cells.hidden = !states;
      const said = [];
      steps.forEach((step, t) => {
        step.replaceChildren(...(states ? [drawStep(states[t])] : []));
        const isWrong = states && states[t] !== asked[t];
        step.toggleAttribute("data-wrong", Boolean(isWrong));
        if (states) said.push(cupsOf(states[t]) + (isWrong ? " (wrong)" : ""));
      });
      cells.ariaLabel = `${name}, step by step: ${said.join(", ")}`;
    },
  };
}

const SAID = { now: "the state", before: "the state before", shuffled: "labels at random" };

// The same words as ProbeByLayer.describe in Python.
export function describe(model, target, places, found) {
  if (found.length < places.length || found.includes(undefined)) {
    return "No probe is fitted yet. Press Fit the probes.";
  }
  const shares = found.map(({ held, done }, i) => `${places[i].name} ${(held / done).toFixed(2)}`);
  return `Read by a probe, ${SAID[target]}, model ${model}: ${shares.join(", ")}. A guess gets ${(1 / CUPS.tokens).toFixed(2)}.`;
}
