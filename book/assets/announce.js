// A chart answers a control in its picture: its titles say the new setting and its numbers. Here a screen reader hears
// them, too: the titles that change after what the reader does are said once it has come to rest; a slider over layers
// says the layer's name and not only its place; and buttons stand in a group with a name.
if (window.vegaEmbed) {
  const embed = window.vegaEmbed;
  const LAYERS = { layer_at: "layers", layer_snn: "layers_a", layer_ann: "layers_b" }; // slider -> the chart's own names

  const nameOf = (control) => control.closest(".vega-bind").querySelector(".vega-bind-name").textContent;

  const nameLayers = (slider, layers) => {
    const show = () => slider.setAttribute("aria-valuetext", `${slider.value}, ${layers[slider.value - 1]}`);
    new MutationObserver(show).observe(slider.nextElementSibling, { childList: true }); // Vega shows the place there
    show();
  };

  // from the top down, as they are read
  const titlesOf = (chart) =>
    [...chart.querySelectorAll(".role-title-text text")]
      .map((title) => {
        const lines = title.querySelectorAll("tspan");
        const { top } = title.getBoundingClientRect();
        return { top, text: [...(lines.length ? lines : [title])].map((line) => line.textContent).join(", ") };
      })
      .sort((one, other) => one.top - other.top)
      .map(({ text }) => text);

  const sayTitles = (chart, status) => {
    let before;
    let pending;
    const heard = ({ isTrusted }) => {
      if (!isTrusted) return; // a setting from the address, or one that is kept when a chart is drawn anew
      if (!pending) before = titlesOf(chart);
      clearTimeout(pending);
      pending = setTimeout(() => {
        pending = undefined;
        const changed = titlesOf(chart).filter((title) => !before.includes(title));
        if (changed.length) status.textContent = `${changed.join(". ")}.`;
      }, 400);
    };
    ["input", "click"].forEach((kind) => chart.addEventListener(kind, heard, true)); // before Vega hears it
  };

  window.vegaEmbed = async (place, ...from) => {
    const result = await embed(place, ...from);
    const chart = place.querySelector(".chart-wrapper:has(.vega-bind)");
    if (!chart) return result;
    chart.querySelectorAll(".vega-bind-radio").forEach((group) => {
      group.setAttribute("role", "radiogroup");
      group.setAttribute("aria-label", nameOf(group).replace(/:\s*$/, ""));
    });
    chart.querySelectorAll("input[type=range]").forEach((slider) => {
      if (slider.name in LAYERS) nameLayers(slider, result.view.signal(LAYERS[slider.name]));
    });
    const status = document.createElement("div");
    status.className = "visually-hidden";
    status.setAttribute("role", "status");
    place.append(status);
    sayTitles(chart, status);
    return result;
  };
}
