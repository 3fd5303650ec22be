// Times of a sweep on logarithmic axes, with a run of the reader's own over them (chapter 9).
//
// Shown are menus and boxes to choose from, a plot (timing_explorer.plot.js), the same numbers as a
// table (timing_explorer.table.js), a sentence (timing_explorer.words.js), and what was timed on
// which machine. Python has computed every number: plots.views holds, for each thing that was timed,
// size along the axis and other sizes, a line for each model, path and run. The state is what is
// chosen of them: `what`, `over`, `at`, `unit` and `variants`. How a model is drawn, here, in the
// plot and in the table, stands in timing_explorer.looks.js.

import { checkbox, menu } from "./base.controls.js";
import { guarded, onChange, onWidth, save, widget } from "./base.life.js";
import { element, frame, liveSentence } from "./base.page.js";
import { runKey, swatch } from "./timing_explorer.looks.js";
import { drawPlot } from "./timing_explorer.plot.js";
import { tableOf } from "./timing_explorer.table.js";
import { capital, describeView, shownLines, UNITS } from "./timing_explorer.words.js";

export default widget(({ model, el }) => {
  let showChoices = () => {}; // until there is a picture
  const draw = guarded(el, () => {
    const { picture, show } = buildExplorer(model);
    el.replaceChildren(picture);
    showChoices = show;
    showChoices();
  });
  draw();
  const offs = [
    onChange(model, ["plots"], draw),
    onChange(
      model,
      ["what", "over", "at", "unit", "variants"],
      guarded(el, () => showChoices()),
    ),
    onWidth(
      el,
      guarded(el, () => showChoices()),
    ),
  ];
  return () => offs.forEach((off) => off());
});

// The view that fits best to what was chosen: what is timed counts most, then the axis.
function viewOf(model) {
  const fit = (view) =>
    4 * (view.what === model.get("what")) +
    2 * (view.over === model.get("over")) +
    (view.at === model.get("at"));
  return model.get("plots").views.reduce((best, view) => (fit(view) > fit(best) ? view : best));
}

// Builds the controls; `show` brings everything up to date with what is chosen.
function buildExplorer(model) {
  const { runs, views, variants, alike } = model.get("plots");
  const choose = (choices) => save(model, choices);
  const texts = (name, of) => [...new Set(of.map((view) => view[name]))];
  const chooser = (label, name) =>
    menu(label, [], "", (value) => choose({ ...pick(viewOf(model)), [name]: value }));

  const menus = { what: chooser("Time of", "what"), over: chooser("against", "over") };
  menus.at = chooser("at", "at");
  menus.unit = menu("in", pairs(UNITS), "", (unit) => choose({ unit }));
  const boxes = variants.map((variant) => {
    const onInput = (on) => {
      const chosen = model.get("variants");
      const next = variants.filter((v) => (v === variant ? on : chosen.includes(v)));
      choose({ variants: next });
    };
    return checkbox(onInput, swatch(variant), variant);
  });

  const plot = element("div", { className: "plot" });
  const table = element("div", { className: "numbers", role: "group", tabIndex: 0 });
  table.ariaLabel = "Medians and slopes";
  const sentence = liveSentence(describeView(model, viewOf(model)));
  const legend = element("p", { className: "runs-legend", hidden: runs.length < 2 });
  legend.append(...runs.map((run, number) => runKey(run.name, number, runs.length)));
  const picture = frame(
    "timing-explorer",
    "Recorded times",
    element("div", { className: "controls" }, ...Object.values(menus)),
    element("div", { className: "controls", role: "group", ariaLabel: "Models" }, ...boxes),
    legend,
    plot,
    sentence,
    table,
    ...runs.map((run) => machineCard(run, alike)),
  );

  const show = () => {
    const view = viewOf(model);
    const alikeIn = (names) => views.filter((other) => names.every((n) => other[n] === view[n]));
    fill(menus.what.select, texts("what", views), view.what);
    fill(menus.over.select, texts("over", alikeIn(["what"])), view.over);
    fill(menus.at.select, texts("at", alikeIn(["what", "over"])), view.at);
    menus.at.hidden = view.at === "";
    menus.unit.select.value = model.get("unit");
    boxes.forEach((box, i) => {
      box.hidden = !view.lines.some((line) => line.variant === variants[i]);
      box.input.checked = model.get("variants").includes(variants[i]);
    });
    const unit = model.get("unit");
    const lines = shownLines(model, view).filter((line) => line[unit]);
    plot.replaceChildren(drawPlot(lines, view, unit, runs, plot.clientWidth || 640));
    table.replaceChildren(tableOf(lines, view, unit, runs));
    table.hidden = lines.length === 0;
    sentence.say(describeView(model, view));
  };
  return { picture, show };
}

const pick = ({ what, over, at }) => ({ what, over, at });
const pairs = (texts) => texts.map((text) => [text, text]);

// Gives a menu its options; one that has them already keeps them, and with them the focus.
function fill(select, texts, value) {
  if ([...select.options].map((option) => option.value).join("\n") !== texts.join("\n")) {
    select.replaceChildren(...texts.map((text) => new Option(text, text)));
  }
  select.value = value;
}

function machineCard({ name, machine }, alike) {
  const text = `${[machine, alike].filter(Boolean).join("; ")}.`;
  return element("p", { className: "machine" }, element("b", {}, `${capital(name)}: `), text);
}
