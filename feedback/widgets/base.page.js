// The elements that a widget is made of.

// A new element. Properties are set as such; `data` and `style` hold data-… and style properties.
export function element(tag, { data = {}, style = {}, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  Object.assign(node.dataset, data);
  for (const [name, value] of Object.entries(style)) node.style.setProperty(name, value);
  node.append(...children);
  return node;
}

// A new element of a drawing; its attributes are those of SVG.
export function drawing(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// The outermost element of a widget: base.css gives it its colours. `label` says what it is.
export function frame(name, label, ...children) {
  return element(
    "div",
    { className: `feedback-view ${name}`, role: "group", ariaLabel: label },
    ...children,
  );
}

// A sentence that `say(text)` changes. It is seen at once. A screen reader speaks it when it has
// rested for so long, so that while a slider is dragged not every step is read; the first text is
// there at once.
export function liveSentence(text, milliseconds = 250) {
  let timer;
  const seen = element("span", { ariaHidden: "true", textContent: text });
  const spoken = element("span", { className: "spoken", ariaLive: "polite", textContent: text });
  const say = (text) => {
    if (text === seen.textContent) return;
    seen.textContent = text;
    clearTimeout(timer);
    const speak = () => (spoken.textContent = text);
    if (spoken.textContent === "") speak();
    else timer = setTimeout(speak, milliseconds);
  };
  return Object.assign(element("p", { className: "sentence" }, seen, spoken), { say });
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
