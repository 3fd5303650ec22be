// How a widget begins, hears of changes and ends. What goes wrong is said in the widget's place.

import { localModel } from "./base.local.js";
import { element } from "./base.page.js";

// A widget whose picture is drawn by draw({ model, el }), which may return a function that ends it.
// What goes wrong is said in the widget's place, wherever it runs. Where there is no kernel,
// localModel(state) makes the model.
export function widget(draw) {
  return {
    localModel,
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
export function guarded(el, action) {
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
export function guardedAt(node, action) {
  const place = () => node.closest(".feedback-view")?.parentNode ?? node;
  return (...given) => guarded(place(), action)(...given);
}

// As addEventListener, with a message if the action fails.
export function listen(node, event, action) {
  node.addEventListener(event, guardedAt(node, action));
}

// Calls `action` when one of the traits changes; returns a function that stops that.
export function onChange(model, names, action) {
  const events = names.map((name) => `change:${name}`);
  const safely = guarded(places.get(model), action);
  events.forEach((event) => model.on(event, safely));
  return () => events.forEach((event) => model.off(event, safely));
}

// Sets traits of the model, and has them sent to the kernel if there is one.
export function save(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

// Calls `action(width)` whenever the width of `node` changes, and once at first.
export function onWidth(node, action) {
  let last;
  const safely = guardedAt(node, action);
  const observer = new ResizeObserver(([{ contentRect }]) => {
    const width = Math.round(contentRect.width);
    if (width > 0 && width !== last) safely((last = width));
  });
  observer.observe(node);
  return () => observer.disconnect();
}
