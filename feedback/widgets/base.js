// What all widgets share. It stands before each widget's own code, in the same module.

// ---- page ----

// A new element. Properties are set as such; `data` and `style` hold data-… and style properties.
function element(tag, { data = {}, style = {}, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  Object.assign(node.dataset, data);
  for (const [name, value] of Object.entries(style)) node.style.setProperty(name, value);
  node.append(...children);
  return node;
}

// A new element of a drawing; its attributes are those of SVG.
function drawing(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// The outermost element of a widget: base.css gives it its colours. `label` says what it is.
function frame(name, label, ...children) {
  return element("div", { className: `feedback-view ${name}`, role: "group", ariaLabel: label }, ...children);
}

// Calls `action(width)` whenever the width of `node` changes, and once at first.
function onWidth(node, action) {
  let last;
  const safely = guardedAt(node, action);
  const observer = new ResizeObserver(([{ contentRect }]) => {
    const width = Math.round(contentRect.width);
    if (width > 0 && width !== last) safely((last = width));
  });
  observer.observe(node);
  return () => observer.disconnect();
}

const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// ---- life ----

// A widget whose picture is drawn by draw({ model, el }), which may return a function that ends it.
// What goes wrong is said in the widget's place, wherever it runs.
function widget(draw) {
  return {
    render({ model, el }) {
      let end;
      places.set(model, el);
      guarded(el, () => (end = draw({ model, el })))();
      return () => end?.();
    },
  };
}

const places = new WeakMap(); // model -> the element of its widget

// `action`, with a message in the place of the widget if it fails, also if it fails later.
function guarded(el, action) {
  const say = (error) => {
    const message = element("p", { className: "feedback-widget-error", role: "alert" });
    message.textContent = `This widget could not be drawn: ${error.message}`;
    el.replaceChildren(message);
    console.error(error);
  };
  return (...given) => {
    try {
      const result = action(...given);
      return result instanceof Promise ? result.catch(say) : result;
    } catch (error) {
      say(error);
    }
  };
}

// The same for an action that begins at `node`, somewhere in a widget.
function guardedAt(node, action) {
  const place = () => node.closest(".feedback-view")?.parentNode ?? node;
  return (...given) => guarded(place(), action)(...given);
}

// As addEventListener, with a message if the action fails.
function listen(node, event, action) {
  node.addEventListener(event, guardedAt(node, action));
}

// Calls `action` when one of the traits changes; returns a function that stops that.
function onChange(model, names, action) {
  const events = names.map((name) => `change:${name}`);
  const safely = guarded(places.get(model), action);
  events.forEach((event) => model.on(event, safely));
  return () => events.forEach((event) => model.off(event, safely));
}

// ---- controls ----

// JupyterLab takes arrow keys for itself unless the element that has the focus says otherwise.
function keepKeys(control) {
  control.dataset.lmSuppressShortcuts = "true";
  return control;
}

// The wheel scrolls the page. Browsers let it count in a field that has the focus.
function leaveToWheel(input) {
  input.addEventListener("wheel", () => input.blur(), { passive: true });
  return keepKeys(input);
}

function numberField(properties) {
  return leaveToWheel(element("input", { type: "number", ...properties }));
}

// A slider over min..max; `onInput` is given its value.
function slider(label, { min = 0, max = 1, step = 0.01, value = min }, onInput) {
  const input = element("input", { type: "range", min, max, step, ariaLabel: label });
  input.value = value;
  onPurpose(input, () => onInput(Number(input.value)));
  return leaveToWheel(input);
}

const FAR = 12; // pixels by which a finger has moved for certain

// Calls `action` when a slider was moved. Where a touch begins browsers move it at once, but the
// finger may be about to scroll the page: the slider is put back until the finger has gone along it
// or has ended a tap. Nothing else hears of it before.
function onPurpose(input, action) {
  let touch;
  const end = () => (touch = undefined);
  const on = (event, act) =>
    input.addEventListener(event, guardedAt(input, act), { passive: true });
  on("pointerdown", ({ pointerType, clientX: x, clientY: y }) => {
    touch = pointerType === "mouse" ? undefined : { x, y, value: input.value, does: "tap" };
  });
  on("pointermove", ({ clientX, clientY }) => {
    if (touch?.does !== "tap") return;
    const [along, across] = [clientX - touch.x, clientY - touch.y].map(Math.abs);
    if (Math.max(along, across) > FAR) touch.does = along > across ? "drag" : "scroll";
  });
  on("touchmove", ({ touches }) => {
    if (touch && touches.length > 1) touch.does = "scroll";
  });
  on("pointercancel", () => {
    if (touch) touch.does = "scroll";
  });
  on("input", () => {
    if (touch && touch.does !== "drag") {
      touch.tapped = input.value;
      input.value = touch.value;
      return;
    }
    if (touch) touch.value = input.value;
    action();
  });
  on("pointerup", () => {
    const { does, tapped } = touch ?? {};
    end();
    if (does !== "tap" || tapped === undefined) return;
    input.value = tapped;
    action();
  });
  ["touchend", "touchcancel", "keydown"].forEach((event) => on(event, end));
}

function button(text, onClick) {
  const node = element("button", { type: "button", textContent: text });
  listen(node, "click", onClick);
  return keepKeys(node);
}

// A labelled menu of [value, text] pairs; `onInput` is given the value that was chosen, as text.
function menu(label, options, value, onInput) {
  const select = element("select", {}, ...options.map(([value, text]) => new Option(text, value)));
  select.value = value;
  listen(select, "change", () => onInput(select.value));
  const node = element("label", { className: "control" }, `${label} `, keepKeys(select));
  return Object.assign(node, { select });
}

// A slider over the steps 0..count-1 with a button that plays them, the first time from the step
// `from` if the reader has not moved the slider before. `show` is given the step.
function player(label, { count, value = 0, perSecond = 4, from }, show) {
  let timer;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Play";
  };
  const go = (step) => {
    input.value = step;
    show(step);
  };
  const input = slider(label, { max: count - 1, step: 1, value }, (step) => {
    from = undefined;
    stop();
    show(step);
  });
  const advance = () => {
    const step = Number(input.value);
    if (!input.isConnected || step >= count - 1) return stop();
    go(step + 1);
  };
  const play = button("Play", () => {
    if (timer !== undefined) return stop();
    if (from !== undefined || Number(input.value) >= count - 1) go(from ?? 0);
    from = undefined;
    timer = setInterval(guardedAt(input, advance), 1000 / perSecond);
    play.textContent = "Pause";
  });
  const node = element("div", { className: "player" }, play, input);
  return Object.assign(node, { input, go, stop });
}

// A sentence that `say(text)` changes. It is seen at once. A screen reader speaks it when it has
// rested for so long, so that while a slider is dragged not every step is read.
function liveSentence(text, milliseconds = 250) {
  let timer;
  const seen = element("span", { ariaHidden: "true", textContent: text });
  const spoken = element("span", { className: "spoken", ariaLive: "polite", textContent: text });
  const say = (text) => {
    if (text === seen.textContent) return;
    seen.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(() => (spoken.textContent = text), milliseconds);
  };
  return Object.assign(element("p", { className: "sentence" }, seen, spoken), { say });
}

// ---- numbers ----

const percent = (share) => Math.floor(100 * share + 0.5);
const withMinus = (text) => text.replace("-", "\u2212");
const short = (value, digits = 4) => withMinus(String(Number(value.toPrecision(digits))));

// Sets one weight and scales the others in proportion, so that all still sum to 1.
function withWeight(weights, index, value) {
  const others = weights.reduce((sum, weight, l) => (l === index ? sum : sum + weight), 0);
  return weights.map((weight, l) => {
    if (l === index) return value;
    return others > 0 ? (weight / others) * (1 - value) : (1 - value) / (weights.length - 1);
  });
}

// ---- this widget ----
