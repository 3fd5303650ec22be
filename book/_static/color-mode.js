{
  const page = document.documentElement.dataset;

  // The theme reports an error on each page until the reader has chosen light or dark. It starts
  // here with what the system prefers, before anything is drawn.
  page.mode ||= "auto";
  page.theme ||= matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

  // Paper is white: a page is printed in its light colours.
  let onScreen = page.theme;
  addEventListener("beforeprint", () => {
    onScreen = page.theme;
    page.theme = "light";
  });
  addEventListener("afterprint", () => (page.theme = onScreen));
}
