// Long lines of code wrap, unless the reader wants each of them whole: then its cell scrolls.
{
  const KEY = "feedback-book-code-lines";
  const page = document.documentElement.dataset;
  page.codeLines = localStorage.getItem(KEY) === "whole" ? "whole" : "wrapped";

  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector(".btn-wrap-lines");
    if (!button) return;
    const say = () => {
      button.setAttribute("aria-pressed", page.codeLines === "wrapped");
      dispatchEvent(new Event("resize")); // the theme lets the Tab key reach what scrolls
    };
    button.addEventListener("click", () => {
      page.codeLines = page.codeLines === "wrapped" ? "whole" : "wrapped";
      localStorage.setItem(KEY, page.codeLines);
      say();
    });
    say();
  });
}
