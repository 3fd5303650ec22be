// On paper a folded solution stays folded, and whatever the reader opened is open. The menu that
// prints a page can open them all for the time of printing.
// A solution is a folded cell, or what to look for in an open exercise.
const SOLUTIONS = "article details:not([open], .live-front, .feedback-widget *)";

addEventListener("DOMContentLoaded", () => {
  document.querySelector(".btn-print-solutions")?.addEventListener("click", () => {
    const folded = document.querySelectorAll(SOLUTIONS);
    for (const solution of folded) solution.open = true;
    const fold = () => folded.forEach((solution) => (solution.open = false));
    addEventListener("afterprint", fold, { once: true });
    print();
  });
});
