// A chart asks for the window's width once, when it is drawn, and sets its legend and its cells for a phone or for a page.
// When a window changes from the one to the other, its charts are drawn anew, with what the reader has chosen in them.
if (window.vegaEmbed) {
  const embed = window.vegaEmbed;
  const drawn = new Map(); // place -> what it was drawn from, and its view

  window.vegaEmbed = async (place, ...from) => {
    const result = await embed(place, ...from);
    drawn.set(place, { from, result });
    return result;
  };

  const draw = async ([place, { from, result }]) => {
    const controls = () => [...place.querySelectorAll("input[name], select[name]")];
    const chosen = controls().map(({ value, checked }) => ({ value, checked }));
    result.finalize();
    await window.vegaEmbed(place, ...from);
    controls().forEach((control, i) => {
      const { value, checked } = chosen[i];
      if (control.value === value && control.checked === checked) return;
      if (control.type === "radio" && !checked) return; // the button that was chosen clears it
      Object.assign(control, { value, checked });
      ["input", "change"].forEach((kind) => control.dispatchEvent(new Event(kind, { bubbles: true })));
    });
  };
  matchMedia("(max-width: 599px)").addEventListener("change", () => [...drawn].forEach(draw)); // as theme.py's NARROW
}
