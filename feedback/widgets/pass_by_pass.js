// A recurrence run by passes: which tokens are exact, which have settled, which still move (chapter
// 12).
//
// Shown are a row of text and a row of shuffles of three cups: the tokens with their answers, the
// counts of them, and how far each pass moved each memory vector. The state is the traits below. What
// passes find is a course (pass_by_pass.course.js): Python has recorded those of the texts, and those
// of the cups are computed here. The parts of a row stand in pass_by_pass.tokens.js and
// pass_by_pass.map.js, what the reader changes in pass_by_pass.settings.js.

import { menu, player } from "./base.controls.js";
import { guarded, onChange, onWidth, save, widget } from "./base.life.js";
import { element, frame, liveSentence } from "./base.page.js";
import { readerOf, unpackWhole } from "./live_model.whole.js";
import { computedCourse, recordedCourse } from "./pass_by_pass.course.js";
import { drawMap, shadesKey } from "./pass_by_pass.map.js";
import { cupsSettings, textSettings } from "./pass_by_pass.settings.js";
import { tokensPart } from "./pass_by_pass.tokens.js";
import { countOf, describe, passesSaid } from "./pass_by_pass.words.js";

const PASSES = 32; // and as many shuffles, of which a whole memory keeps all
const TOLERANCES = [0.1, 0.01, 0.001, 0.0001].map((one) => [String(one), String(one)]);
const KEY =
  "Under each token stands the likeliest answer after these passes: the next character, or where the " +
  "cups are. Where the exact model answers otherwise it is struck out, with the exact answer below it.";

export default widget(({ model, el }) => {
  const { node, show, change, stop } = buildPicture(model, el);
  el.replaceChildren(node);
  const offs = [
    onChange(model, ["passes", "tolerance"], show),
    onChange(model, ["text", "shuffles", "memory_size"], change),
    stop,
  ];
  return () => offs.forEach((off) => off());
});

function buildPicture(model, el) {
  const get = (name) => model.get(name);
  const set = (values) => save(model, values);
  const cups = get("cups");
  const all = unpackWhole(get("weights"), cups);
  const readers = cups.map(({ sizes }, i) => readerOf(sizes, all[i], PASSES));

  const textCourse = () => recordedCourse(get("courses")[get("text")]);
  const cupsCourse = () => {
    const chosen = cups.findIndex(({ sizes }) => sizes.memory === get("memory_size"));
    return computedCourse(readers[chosen], get("shuffles"));
  };

  const steps = player(
    "passes",
    { count: PASSES, first: 1, value: get("passes"), perSecond: 2 },
    (passes) => set({ passes }),
  );
  const clock = element("span", { className: "clock" });
  steps.append(clock);
  const tolerance = menu("settled: moved by at most", TOLERANCES, "", (value) =>
    set({ tolerance: Number(value) }),
  );
  const rows = [
    buildRow(el, "Text", textSettings(model), textCourse),
    buildRow(el, "Cups", cupsSettings(model), cupsCourse),
  ];
  const sentence = liveSentence("", 600); // silent while it plays

  const node = frame(
    "pass-by-pass",
    "A recurrence run by passes",
    steps,
    element("div", { className: "controls" }, tolerance),
    element("div", { className: "rows" }, ...rows.map((row) => row.node)),
    shadesKey(),
    element("p", { className: "key", textContent: KEY }),
    sentence,
  );

  const show = guarded(el, () => {
    const now = { passes: get("passes"), tolerance: get("tolerance") };
    steps.input.value = now.passes;
    steps.input.ariaValueText = `${now.passes} of ${PASSES}`;
    clock.textContent = passesSaid(now.passes);
    tolerance.select.value = String(now.tolerance);
    rows.forEach((row) => row.show(now));
    sentence.say(describe(now, get("memory_size"), ...rows.map((row) => row.course())));
  });
  const change = guarded(el, () => {
    rows.forEach((row) => row.change());
    show();
  });
  change();
  const ends = [steps.stop, ...rows.map((row) => row.stop)];
  return { node, show, change, stop: () => ends.forEach((end) => end()) };
}

// One row of the picture; `begin` makes its course.
function buildRow(el, title, settings, begin) {
  const tokens = tokensPart(title);
  const map = element("div", { className: "map" });
  const heading = element("p", { className: "heading", textContent: title });
  const parts = [heading, settings.node, tokens.node, map];
  let [course, now, pixels] = [undefined, undefined, 0];
  const draw = guarded(el, () => {
    if (now && pixels > 0) map.replaceChildren(drawMap(title, course, now, PASSES, pixels));
  });
  const stop = onWidth(map, (width) => {
    pixels = width;
    draw();
  });
  return {
    node: element("div", { className: "course", role: "group", ariaLabel: title }, ...parts),
    course: () => course,
    change() {
      settings.show();
      course = begin();
    },
    show(state) {
      now = state;
      tokens.show(course, now, countOf(course, now));
      draw();
    },
    stop,
  };
}
