// The numbers of a chart, for readers without a kernel: the menu that saves its picture saves them, too, as comma-separated
// values. A row is a mark as it is drawn at that moment, with what its tooltip says; the name of the file has the title and
// the choice that the chart shows. Where a chart has several kinds of marks, those that it has most of are meant.
document.addEventListener("controls", ({ target: chart }) => {
  const NUMBER = "(-?[\\d,]*\\.?\\d+)";
  const VALUE = new RegExp(`^${NUMBER}( %)?(?: \\((?:(\\d+) seeds, )?${NUMBER} to ${NUMBER}(?: %)?\\))?$`);
  const MISSING = /^(no value|left out .*)$/;

  const tooltips = () => {
    const kinds = new Map();
    chart.querySelectorAll("svg .role-mark > *").forEach((mark) => {
      const tooltip = mark.__data__?.tooltip;
      if (!tooltip || typeof tooltip !== "object") return;
      const kind = JSON.stringify(Object.keys(tooltip));
      if (!kinds.has(kind)) kinds.set(kind, []);
      kinds.get(kind).push(tooltip);
    });
    return [...kinds.values()].sort((one, other) => other.length - one.length)[0] ?? [];
  };

  const plain = (value) =>
    String(value ?? "")
      .replace(/\u2212(?=[\d.])/g, "-") // the sign that charts have; no program reads it
      .replace(/ \(outside the colours\)$/, "");

  // "0.80 (0.78 to 0.82)" goes into three columns; "80 %" leaves its unit with the column's name
  const parted = (column, value) => {
    const text = plain(value);
    const found = VALUE.exec(text);
    if (!found) return [[column, MISSING.test(text) ? "" : text]];
    const [middle, unit, seeds, low, high] = found.slice(1).map((part) => part?.replaceAll(",", ""));
    const name = unit && !column.includes("%") ? `${column} (%)` : column;
    const cells = [[name, middle], [`${name}, low`, low], [`${name}, high`, high], [`${name}, seeds`, seeds]];
    return cells.filter(([, cell]) => cell !== undefined);
  };

  const quoted = (cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

  const table = () => {
    const rows = tooltips().map((row) => new Map(Object.entries(row).flatMap(([column, value]) => parted(column, value))));
    const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))];
    const lines = [columns, ...rows.map((row) => columns.map((column) => row.get(column) ?? ""))];
    return lines.map((line) => `${line.map(quoted).join(",")}\n`).join("");
  };

  const nameOfFile = () => {
    const page = location.pathname.split("/").pop().replace(/\.html$/, "");
    const lines = (title) => [...title.querySelectorAll("tspan")].map((line) => line.textContent).join(" ") || title.textContent;
    const titles = (of) => [...chart.querySelectorAll(`svg .role-${of}`)].map(lines);
    const own = titles("title-text");
    const title = own.length === 1 ? own[0] : titles("axis-title").join(" "); // of several, none is of the whole chart
    const choice = [...chart.querySelectorAll("input[type=radio]:checked, select")].map((control) => control.value);
    const parts = [page, chart.closest("section[id]")?.id, title, ...choice].filter(Boolean).join(" ");
    return `${parts.replace(/[^\p{L}\p{N}_.=]+/gu, "-").slice(0, 120)}.csv`;
  };

  const menu = chart.querySelector(".vega-actions");
  if (!menu || !tooltips().some((row) => Object.values(row).some((value) => VALUE.test(plain(value))))) return;
  const link = document.createElement("a");
  link.textContent = "Save the numbers (CSV)";
  link.href = "#";
  link.addEventListener("click", () => {
    URL.revokeObjectURL(link.href); // of an earlier click
    link.download = nameOfFile();
    link.href = URL.createObjectURL(new Blob(["\ufeff", table()], { type: "text/csv" })); // the mark is for Excel
  });
  menu.append(link);
});
