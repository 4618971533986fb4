// The theme's icons are set by a script that watches the page and searches it anew for every element that is added. A
// heatmap adds thousands at once: minutes of searching. All icons are there from the start, so it need not watch.
window.FontAwesomeConfig = { ...window.FontAwesomeConfig, observeMutations: false };

// Vega measures the room for a chart when the window changes its size. The theme's sidebar is still sliding then, so a
// chart would keep a width that was true for a moment only: measure again when its width has come to rest.
window.addEventListener("load", () => {
  const widths = new WeakMap();
  let settled;
  const observer = new ResizeObserver((entries) => {
    const changed = entries.filter(({ target, contentRect }) => widths.get(target) !== contentRect.width);
    changed.forEach(({ target, contentRect }) => widths.set(target, contentRect.width));
    if (changed.length === 0) return;
    clearTimeout(settled);
    settled = setTimeout(() => window.dispatchEvent(new Event("resize")), 150);
  });
  document.querySelectorAll("[id^=altair-viz]").forEach((chart) => observer.observe(chart));
});
