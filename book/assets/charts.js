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
