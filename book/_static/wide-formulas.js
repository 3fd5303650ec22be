// A formula that is wider than the page scrolls sideways. The Tab key has to reach it, so that the
// arrow keys can scroll it; the theme sees to that for code, but not for formulas.
addEventListener("load", async () => {
  await window.MathJax?.startup.promise;
  const formulas = document.querySelectorAll("mjx-container[display]");
  new ResizeObserver(() => {
    for (const formula of formulas) {
      if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
      else formula.removeAttribute("tabindex");
    }
  }).observe(document.body);
});
