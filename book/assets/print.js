// Paper is white and cannot be clicked: for the time of printing the page is set in light colours, and what is folded is
// unfolded. A chart's own menu and the code that a page folds away stay as they are.
(() => {
  const root = document.documentElement;
  const FOLDED = "details:not([open]):not(.vega-embed details):not(.hide)";
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
