// What the theme, docutils and Vega leave out for readers who use a keyboard or a screen reader: a name for the button
// that saves a chart, a stop for Tab at whatever scrolls, so that the arrow keys can move it, a role for references that
// lists may have, and the way back to the button that opened a drawer.
window.addEventListener("load", () => {
  const article = document.querySelector(".bd-article-container");
  if (!article) return;
  const scrolling = '.text_html, .vega-embed, .math mjx-container, div[style*="overflow"], pre, .ledger-box, table';

  ["primary", "secondary"].forEach((side) => {
    const drawer = document.querySelector(`#pst-${side}-sidebar-modal`);
    drawer?.addEventListener("close", () => setTimeout(() => document.querySelector(`.${side}-toggle`).focus()));
  });
  article.querySelectorAll("[role=doc-biblioentry]").forEach((entry) => entry.setAttribute("role", "listitem"));

  const name = () => {
    article.querySelectorAll(".vega-embed > details > summary:not([aria-label])").forEach((summary) => {
      summary.setAttribute("aria-label", "Save this chart");
    });
  };
  const stop = () => {
    article.querySelectorAll(scrolling).forEach((region) => {
      const scrolls = ["auto", "scroll"].includes(getComputedStyle(region).overflowX);
      if (scrolls && region.scrollWidth > region.clientWidth && !region.hasAttribute("tabindex")) region.tabIndex = 0;
    });
  };

  let waiting = false;
  const look = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      name();
      stop();
    });
  };
  // what Vega moves inside a chart changes no name and no size
  const outside = (changes) => changes.some(({ target }) => !target.ownerSVGElement);
  new MutationObserver((changes) => outside(changes) && look()).observe(article, { childList: true, subtree: true });
  new ResizeObserver(look).observe(article);
  look();
});
