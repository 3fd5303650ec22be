// On paper a folded solution stays folded, and whatever the reader opened is open. The menu that
// prints a page can open them all for the time of printing.
addEventListener("DOMContentLoaded", () => {
  document.querySelector(".btn-print-solutions")?.addEventListener("click", () => {
    const folded = document.querySelectorAll("details.hide:not([open])");
    for (const solution of folded) solution.open = true;
    const fold = () => folded.forEach((solution) => (solution.open = false));
    addEventListener("afterprint", fold, { once: true });
    print();
  });
});
