// A legend that picks out a series by a click does so by keys, too: Tab comes to its names, Enter picks, Escape shows all.
(() => {
  const PICKING = ".vega-embed .role-legend-label:not([pointer-events]) text"; // Vega marks the others as untouchable
  const click = (target) => target.dispatchEvent(new MouseEvent("click", { bubbles: true }));

  const answer = (event) => {
    if (!["Enter", " ", "Escape"].includes(event.key)) return;
    event.preventDefault();
    click(event.key === "Escape" ? event.currentTarget.ownerSVGElement : event.currentTarget);
  };

  // Vega calls a legend a symbol, which may hold no buttons, and says so again whenever it sets the chart anew.
  const held = new WeakSet();
  const group = (legend) => {
    if (!legend || held.has(legend)) return;
    const set = () => legend.getAttribute("role") === "group" || legend.setAttribute("role", "group");
    new MutationObserver(set).observe(legend, { attributeFilter: ["role"] });
    held.add(legend);
    set();
  };

  const offer = () => {
    document.querySelectorAll(`${PICKING}:not([tabindex])`).forEach((name) => {
      name.setAttribute("tabindex", "0");
      name.setAttribute("role", "button");
      name.addEventListener("keydown", answer);
      group(name.closest("[aria-roledescription=legend]"));
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
