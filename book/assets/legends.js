// A legend that picks out a series by a click does so by keys, too: Tab comes to its names, Enter picks, Escape shows all.
(() => {
  const PICKING = ".vega-embed .role-legend-label:not([pointer-events]) text"; // Vega marks the others as untouchable
  const click = (target) => target.dispatchEvent(new MouseEvent("click", { bubbles: true }));

  const answer = (event) => {
    if (!["Enter", " ", "Escape"].includes(event.key)) return;
    event.preventDefault();
    click(event.key === "Escape" ? event.currentTarget.ownerSVGElement : event.currentTarget);
  };

  const offer = () => {
    document.querySelectorAll(`${PICKING}:not([tabindex])`).forEach((name) => {
      name.setAttribute("tabindex", "0");
      name.setAttribute("role", "button");
      name.addEventListener("keydown", answer);
    });
  };

  window.addEventListener("load", () => {
    const article = document.querySelector(".bd-article");
    if (!article || !window.vegaEmbed) return;
    const drawing = ({ target }) => target.classList.contains("vega-embed");
    new MutationObserver((changes) => changes.some(drawing) && requestAnimationFrame(offer)).observe(article, {
      childList: true,
      subtree: true,
    });
    offer();
  });
})();
