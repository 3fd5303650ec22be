// The theme reports an error on each page until the reader has chosen light or dark. It starts here
// with what the system prefers, before anything is drawn.
{
  const page = document.documentElement.dataset;
  page.mode ||= "auto";
  page.theme ||= matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
