// Begins reveal.js, makes what is on a slide fit it, and leaves the keys to a widget that is in use.

window.MathJax = {
  options: { enableMenu: false },
  chtml: { matchFontHeight: false }, // what is not shown yet could not be measured
};

// Text and code are as large as the room allows, and so are widgets, whose width stays as it is.
const SIZES = [1.3, 1.2, 1.1, 1, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5];
const LARGEST = 1.35;
const QUESTION = 900; // pixels: a line of text that is easily read

const overflows = (body) =>
  body.scrollHeight > body.clientHeight + 1 || body.scrollWidth > body.clientWidth + 1;

function fit(slide) {
  const body = slide?.querySelector(".body");
  if (!body) return;
  const content = body.querySelector(".content");
  const widget = content.querySelector(".feedback-widget");
  if (widget) return fitWidget(body, content, widget.dataset.widget);
  if (content.querySelector("svg.drawing")) return; // takes what there is
  for (const size of SIZES) {
    content.style.zoom = size;
    if (!overflows(body)) break;
  }
}

function fitWidget(body, content, name) {
  const width = name === "predict_then_reveal" ? QUESTION : body.clientWidth;
  content.style.zoom = 1;
  content.style.width = `${width}px`;
  const room = [body.clientWidth / width, body.clientHeight / content.scrollHeight];
  content.style.zoom = Math.min(LARGEST, ...room);
}

const fitAll = () => document.querySelectorAll(".slides section").forEach((one) => fit(one));

addEventListener("DOMContentLoaded", async () => {
  const deck = new window.Reveal({
    width: 1280,
    height: 720,
    margin: 0,
    center: false,
    controls: false,
    hash: true,
    transition: "none",
    slideNumber: "c/t",
    pdfMaxPagesPerSlide: 1,
    // ?notes would open the window of the speaker.
    showNotes: new URLSearchParams(location.search).has("said") && "separate-page",
    // Arrow keys move the slider that has the focus: a click beside the widget gives them back.
    keyboardCondition: () => !document.activeElement?.closest(".feedback-widget"),
    plugins: [window.RevealNotes],
  });
  await window.MathJax.startup.promise;
  await deck.initialize();
  window.deck = deck;
  window.fitAll = fitAll;

  const refit = () => fit(deck.getCurrentSlide());
  deck.on("slidechanged", refit);
  refit();
  // A widget gets higher when it begins, and when it shows what was asked for.
  const grown = new ResizeObserver(refit);
  for (const widget of document.querySelectorAll(".feedback-widget")) grown.observe(widget);
  document.documentElement.dataset.slides = "ready";
});
