// The numbers of a chart, without a kernel: its menu saves them beside the picture, as comma-separated values. A line is a
// mark as it is drawn at that moment, with what its tooltip says; so a slider is moved first, and another file saved then.
document.addEventListener("controls", ({ target: chart }) => {
  const tooltips = () =>
    [...chart.querySelectorAll("svg .role-mark > *")]
      .map((mark) => mark.__data__?.tooltip)
      .filter((tooltip) => tooltip && typeof tooltip === "object");

  const minus = (text) => text.replace(/\u2212(?=\d)/g, "-"); // the sign that charts have, which no program reads as one

  // "0.80 (0.78 to 0.82)" goes into three columns
  const parted = (row) =>
    Object.entries(row).flatMap(([column, value]) => {
      const text = minus(String(value ?? "")).replace(/ \(outside the colours\)$/, "");
      const [, middle, low, high] = /^(-?[\d.]+)(?: %)? \((-?[\d.]+) to (-?[\d.]+)\)$/.exec(text) ?? [];
      if (middle === undefined) return [[column, text]];
      return [[column, middle], [`${column}, low`, low], [`${column}, high`, high]];
    });

  const cell = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  const table = (tooltips) => {
    const rows = tooltips.map((tooltip) => new Map(parted(tooltip)));
    const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))];
    const lines = rows.map((row) => columns.map((column) => cell(row.get(column) ?? "")).join(","));
    return `${[columns.map(cell).join(","), ...new Set(lines)].join("\n")}\n`; // marks in layers share their tooltips
  };

  const menu = chart.querySelector(".vega-actions");
  if (!menu || tooltips().length === 0) return;
  const link = document.createElement("a");
  const page = location.pathname.split("/").pop().replace(/\.html$/, "");
  link.textContent = "Save the numbers as CSV";
  link.download = `${[page, chart.closest("section[id]")?.id].filter(Boolean).join("-")}.csv`;
  link.href = "#";
  link.addEventListener("click", () => {
    URL.revokeObjectURL(link.href); // of an earlier click
    link.href = URL.createObjectURL(new Blob([table(tooltips())], { type: "text/csv" }));
  });
  menu.append(link);
});
