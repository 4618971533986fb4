// What is laid out badly on the page as it stands: one line for each thing that is cut off, covered, or hard to read.
() => {
  const found = [];
  const visible = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const name = (element) => {
    const words = (element.textContent || element.getAttribute("aria-label") || "").trim().replace(/\s+/g, " ");
    const kind = element.id ? `#${element.id}` : [...element.classList].map((one) => `.${one}`).join("");
    return `<${element.localName}${kind}> "${words.slice(0, 40)}"`;
  };
  const column = document.querySelector(".bd-article-container"); // scrolls in the theme, as the page itself would
  const scrolls = (element) => element !== column && ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  const inScroller = (element) => element !== document.body && (scrolls(element) || inScroller(element.parentElement));
  const meet = (a, b, by) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > by &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > by;

  // ---- the page

  for (const whole of [document.scrollingElement, column]) {
    const excess = whole.scrollWidth - whole.clientWidth;
    if (excess > 0) found.push(`${name(whole)} scrolls sideways by ${excess} px`);
  }

  const drawing = "svg, .math, .vega-embed, .vega-bindings"; // looked at below, by rules of their own
  const elements = [...document.querySelectorAll("body *")].filter((one) => !one.closest(drawing) && visible(one));
  for (const element of elements) {
    if (element.clientWidth <= 1) continue; // inline, or kept for screen readers
    const { overflowX, overflowY } = getComputedStyle(element);
    const wide = element.scrollWidth > element.clientWidth + 1;
    if (wide && ["hidden", "clip"].includes(overflowX)) found.push(`cut off at the right: ${name(element)}`);
    if (wide && overflowX === "visible" && column.contains(element) && !inScroller(element)) found.push(`runs out of its box: ${name(element)}`);
    const tall = element.scrollHeight > element.clientHeight + 4;
    if (tall && ["hidden", "clip"].includes(overflowY)) found.push(`cut off at the bottom: ${name(element)}`);
  }

  // ---- blocks and controls that lie on one another

  const block = (element) => {
    const { display, position, float } = getComputedStyle(element);
    return !display.startsWith("inline") && display !== "contents" && position === "static" && float === "none" && visible(element);
  };
  for (const parent of document.querySelectorAll(".bd-article, .bd-article *")) {
    if (parent.closest(drawing) || parent.localName === "table") continue;
    const blocks = [...parent.children].filter(block);
    blocks.slice(1).forEach((after, i) => {
      if (meet(blocks[i].getBoundingClientRect(), after.getBoundingClientRect(), 1))
        found.push(`${name(blocks[i])} lies on ${name(after)}`);
    });
  }
  const controls = [...document.querySelectorAll("a[href], button, input, select, summary")].filter(
    (one) => !one.closest("svg, .skip-link") && visible(one), // the link that skips waits above the window's edge
  );
  const lines = controls.flatMap((control) => [...control.getClientRects()].map((box) => ({ control, box })));
  lines.forEach((one, i) => {
    for (const other of lines.slice(i + 1)) {
      const nested = one.control.contains(other.control) || other.control.contains(one.control);
      if (!nested && meet(one.box, other.box, 2)) found.push(`${name(one.control)} lies on ${name(other.control)}`);
    }
  });

  // ---- text in charts

  // Corners of a text on the screen, turned as it is; a little less than its line, of which letters fill a part.
  const corners = (text) => {
    const { x, y, width, height } = text.getBBox();
    const [left, right, top, bottom] = [x + 1, x + width - 1, y + 0.2 * height, y + 0.8 * height];
    const matrix = text.getScreenCTM();
    return [[left, top], [right, top], [right, bottom], [left, bottom]].map(([a, b]) => new DOMPoint(a, b).matrixTransform(matrix));
  };
  // Two rectangles are apart if their shadows on a side of one of them are apart.
  const apart = (one, other) =>
    [one, other].some((shape) =>
      [0, 1].some((side) => {
        const [dx, dy] = [shape[side + 1].x - shape[side].x, shape[side + 1].y - shape[side].y];
        const [a, b] = [one, other].map((points) => points.map((point) => point.x * dx + point.y * dy));
        return Math.max(...a) <= Math.min(...b) || Math.max(...b) <= Math.min(...a);
      }),
    );
  document.querySelectorAll(".vega-embed svg.marks").forEach((svg, number) => {
    const chart = `chart ${number} (${(svg.getAttribute("aria-label") || svg.textContent).slice(0, 40)})`;
    const room = svg.closest(".vega-embed").clientWidth;
    if (svg.clientWidth > room + 1) found.push(`${chart} is ${svg.clientWidth - room} px wider than its column`);
    const texts = [...svg.querySelectorAll("text")].filter((one) => one.textContent.trim() && visible(one));
    const frame = svg.getBoundingClientRect();
    const boxes = texts.map((text) => {
      const { left, right, top, bottom } = text.getBoundingClientRect();
      const out = Math.max(frame.left - left, right - frame.right, frame.top - top, bottom - frame.bottom);
      if (out > 1.5) found.push(`${chart}: "${text.textContent}" is cut off by ${out.toFixed(1)} px`);
      const size = parseFloat(getComputedStyle(text).fontSize) * (frame.width / svg.width.baseVal.value);
      if (size < 10) found.push(`${chart}: "${text.textContent}" is ${size.toFixed(1)} px small`);
      if (text.textContent.endsWith("…")) found.push(`${chart}: "${text.textContent}" is shortened`);
      return corners(text);
    });
    boxes.forEach((box, i) => {
      for (let j = i + 1; j < boxes.length; j++)
        if (!apart(box, boxes[j])) found.push(`${chart}: "${texts[i].textContent}" lies on "${texts[j].textContent}"`);
    });
  });

  // ---- formulas: wider than their place, they scroll inside themselves

  for (const formula of document.querySelectorAll("mjx-container")) {
    const wide = formula.querySelector("mjx-math").getBoundingClientRect().width > formula.clientWidth + 1;
    if (formula.clientWidth && wide && !scrolls(formula)) found.push(`formula cut off: ${name(formula)}`);
  }

  // ---- lines of text that the eye can follow

  for (const paragraph of document.querySelectorAll(".bd-article p, .bd-article li")) {
    if (!visible(paragraph) || paragraph.querySelector("mjx-container, p, ul, ol, pre")) continue;
    const rows = Math.round(paragraph.clientHeight / parseFloat(getComputedStyle(paragraph).lineHeight));
    const letters = paragraph.textContent.trim().length / rows;
    if (rows >= 3 && letters > MOST_LETTERS) found.push(`${letters.toFixed(0)} letters a line: ${name(paragraph)}`);
  }
  return found;
}
