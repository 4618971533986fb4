// A slider over settings with uneven steps, such as T = 1, 2, 4, 8, moves through their places, and Vega shows the place.
// Its name lists the settings ("T, by place in 1, 2, 4, 8: "): here it shows, and says, the setting itself.
document.addEventListener("controls", ({ target }) => {
  target.querySelectorAll(".vega-bind input[type=range]").forEach((slider) => {
    const name = slider.closest(".vega-bind").querySelector(".vega-bind-name");
    const readout = slider.nextElementSibling;
    const [, what, list] = /^(.*), by place in (.*): $/.exec(name?.textContent ?? "") ?? [];
    if (!list || !readout) return;
    const settings = list.split(", ");
    const show = () => {
      const setting = settings[slider.value - 1];
      slider.setAttribute("aria-valuetext", setting);
      if (readout.textContent !== setting) readout.textContent = setting;
    };
    name.textContent = `${what}: `;
    new MutationObserver(show).observe(readout, { childList: true });
    show();
  });
});
