// The picture. Its parts are each built once and then brought up to date.

import { button, menu } from "./base.controls.js";
import { percent } from "./base.numbers.js";
import { element, frame, liveSentence } from "./base.page.js";
import { canBeHandedOn } from "./train_in_the_page.handing.js";
import { lossChart, rightChart } from "./train_in_the_page.plots.js";
import { settingsPart } from "./train_in_the_page.settings.js";
import { sentenceOf } from "./train_in_the_page.words.js";

// A `brief` one has a single button, and shows how many answers are right.
export function buildView(model, { train, step, begin, ask, handOn }) {
  const brief = model.get("brief");
  const settings = settingsPart(model);
  const play = button("Train", train);
  const length = menu("on rows of", [], "", () => {});
  const asking = button("Ask", () => ask(Number(length.select.value)));
  const further = button("Ask it further", handOn);
  const buttons = [play, button("One update", step), button("Begin again", begin)];
  const all = [...buttons, asking, length, further];
  const controls = element("div", { className: "controls" }, ...(brief ? [play] : all));
  const [losses, right] = ["losses", "right"].map((className) => element("div", { className }));
  const weights = element("div", { className: "weights", role: "group" });
  weights.ariaLabel = "Layer weights of the feedback model";
  const sentence = liveSentence("", 1000);
  let lines = [];

  function showWeights(shares) {
    weights.hidden = brief || shares.length === 0;
    if (lines.length !== shares.length) {
      lines = shares.map((_, l) => {
        const name = element("span", { textContent: l === 0 ? "embedding" : `layer ${l}` });
        const track = element("span", { className: "track", ariaHidden: "true" });
        const number = element("data");
        return { track, number, node: element("div", { className: "bar" }, name, track, number) };
      });
      const title = element("p", { className: "title", textContent: "What the memory is made of" });
      weights.replaceChildren(title, ...lines.map(({ node }) => node));
    }
    shares.forEach((share, l) => {
      lines[l].track.style.setProperty("--share", `${(100 * share).toFixed(1)}%`);
      lines[l].number.textContent = `${percent(share)}\u00a0%`;
    });
  }

  return {
    picture: frame(
      "train-in-the-page",
      "Two models that learn in this page",
      ...(brief ? [] : [settings.node]),
      controls,
      element("div", { className: brief ? "one" : "two" }, ...(brief ? [] : [losses]), right),
      weights,
      sentence,
    ),
    showSettings({ longer }) {
      settings.showSettings();
      further.hidden = !canBeHandedOn(model.get("task"));
      asking.disabled = longer.length === 0;
      if ([...length.select.options].map(({ value }) => value).join() === longer.join()) return;
      length.select.replaceChildren(...longer.map((value) => new Option(value, value)));
      length.select.value = longer[Math.min(2, longer.length - 1)];
    },
    show(plan, progress) {
      const task = model.get("task");
      play.textContent = progress.playing ? "Pause" : "Train";
      further.disabled = progress.updates === 0 || !plan.names.includes("feedback-kv");
      losses.replaceChildren(lossChart(plan, progress, task === "text"));
      right.replaceChildren(rightChart(plan, progress));
      showWeights(progress.shares);
      sentence.say(sentenceOf(plan, progress, task));
    },
  };
}
