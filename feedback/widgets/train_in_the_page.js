// Two models that learn the same side by side, in the page, without a kernel.
//
// The state is the settings, which are traits (train_in_the_page.plan.js has their names). When one
// changes, all begins again. The models train in workers of their own (train_in_the_page.trainers.js)
// in rounds that train_in_the_page.director.js directs. When training comes to rest, the trait
// `results` says what came out, and beside a kernel the weights go to Python. The feedback model can
// be handed on to another widget, which opens below (train_in_the_page.handing.js).

import { guarded, onChange, save, widget } from "./base.life.js";
import { createDirector } from "./train_in_the_page.director.js";
import { handingPart } from "./train_in_the_page.handing.js";
import { createPlan, SETTINGS } from "./train_in_the_page.plan.js";
import { createTrainer } from "./train_in_the_page.trainers.js";
import { buildView } from "./train_in_the_page.view.js";

export default widget(({ model, el }) => {
  let [plan, director] = [undefined, undefined];
  const safely = (action) => guarded(el, action);
  const handing = handingPart();
  const view = buildView(model, {
    train: safely(async () => {
      const mine = await started();
      if (mine.progress.playing) return mine.pause();
      const training = mine.play();
      show(mine);
      await training;
      await report(mine);
    }),
    step: safely(async () => {
      const mine = await started();
      mine.pause();
      await mine.step();
      await report(mine);
    }),
    begin: safely(() => begin()),
    ask: safely(async (length) => {
      const mine = await started();
      await mine.ask(length);
    }),
    handOn: safely(async () => {
      const mine = await started();
      mine.pause();
      const { "feedback-kv": values } = await mine.weights();
      if (mine !== director) return;
      const { updates } = mine.progress;
      const [task, text] = ["task", "text"].map((name) => model.get(name));
      const [sizes, { longest }] = [plan.sizesOf("feedback-kv"), plan.limits];
      handing.open({ task, text, words: plan.words, updates, values, sizes, longest });
    }),
  });

  const nothing = () => ({
    updates: 0,
    losses: Object.fromEntries(plan.names.map((name) => [name, []])),
    right: {},
    shares: [],
  });

  // Trainers start when they are first needed: a page that is only read starts none.
  let starting;
  function started() {
    const mine = plan;
    starting ??= Promise.all(plan.names.map(createTrainer)).then((trainers) => {
      const named = Object.fromEntries(mine.names.map((name, i) => [name, trainers[i]]));
      const made = createDirector(named, mine.begin, mine.limits, () => show(made));
      if (mine !== plan)
        made.end(); // settings have changed meanwhile
      else director = made;
      view.picture.dataset.workers = String(trainers.every(({ isWorker }) => isWorker));
      return made;
    });
    return starting;
  }

  const show = safely((from) => {
    if (from && from !== director) return;
    const progress = director?.progress ?? nothing();
    view.picture.ariaBusy = String(Boolean(progress.playing || progress.busy));
    view.show(plan, progress);
  });

  function begin() {
    director?.end();
    [starting, director] = [undefined, undefined];
    handing.close();
    plan = createPlan((name) => model.get(name));
    view.showSettings(plan);
    show();
  }

  // What came out, for Python; without a kernel nobody asks for the weights.
  async function report(mine) {
    if (mine !== director || mine.progress.playing) return;
    const { updates, length, losses, right, shares, solved } = mine.progress;
    const loss = Object.fromEntries(plan.names.map((name) => [name, losses[name].at(-1)[1]]));
    const values = { results: { updates, length, loss, right, layer_weights: shares, solved } };
    if (model.get("has_kernel")) {
      const configs = {};
      for (const [name, weights] of Object.entries(await mine.weights())) {
        values[name === "parallel" ? "parallel_weights" : "feedback_weights"] = new DataView(
          weights.buffer,
        );
        configs[name] = plan.sizesOf(name);
      }
      if (mine !== director) return;
      values.trained = configs;
    }
    save(model, values);
  }

  begin();
  el.replaceChildren(view.picture, handing.node);
  const off = onChange(model, [...SETTINGS, "start"], begin);
  return () => {
    off();
    director?.end();
    handing.close();
  };
});
