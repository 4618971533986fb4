// Paper is white and cannot be clicked: for the time of printing the page is set in light colours, and what is folded is
// unfolded. A chart's own menu, the code that a page folds away and the line that says where a figure comes from stay as
// they are: unfolded, each such line takes a page, and on the page that it was printed from it unfolds.
(() => {
  const root = document.documentElement;
  const FOLDED = "details:not([open], .hide, .vega-embed details, .provenance, details.provenance details)";
  let theme;
  let unfolded = [];

  window.addEventListener("beforeprint", () => {
    theme ??= root.dataset.theme;
    root.dataset.theme = "light";
    unfolded = [...unfolded, ...document.querySelectorAll(FOLDED)];
    unfolded.forEach((details) => details.setAttribute("open", ""));
  });

  window.addEventListener("afterprint", () => {
    if (theme !== undefined) root.dataset.theme = theme;
    theme = undefined;
    unfolded.forEach((details) => details.removeAttribute("open"));
    unfolded = [];
  });
})();
