// Settings live in the address: moving a slider writes them there, opening such an address sets the sliders.
//
// A control is a named input or select inside the output of a cell; Vega's bound sliders are. Its key in the address is
// section.name; where several charts of a section have that name, those after the first are section.2.name and so on. A
// plain name (?T_at=2) sets all controls of that name. Only what differs from the page's own settings is written.
//
// Whoever adds controls later says so by an event "controls" on an element around them, as book/_ext/offline.py does for
// charts. A control gets its setting by the events "input" and "change", as if a reader had moved it.
(() => {
  const CONTROLS = ".cell_output input[name], .cell_output select[name]";
  const CHART = "[id^=altair-viz]";
  const initial = new Map(); // control -> its value before anybody moved it
  const opened = new URL(location.href).searchParams; // for charts that are drawn later
  let restoring = false;
  let pending;

  const buttons = ({ form, name }) =>
    [...(form ?? document).querySelectorAll("input[type=radio]")].filter((one) => one.name === name);

  const valueOf = (control) => {
    if (control.type === "checkbox") return String(control.checked);
    if (control.type === "radio") return buttons(control).find((one) => one.checked)?.value ?? "";
    return control.value;
  };

  const keyOf = (control) => {
    const section = control.closest("section[id]");
    const alike = [...(section?.querySelectorAll(CHART) ?? [])].filter(
      (chart) => chart.closest("section[id]") === section && chart.parentElement.textContent.includes(`"${control.name}"`),
    );
    const place = alike.indexOf(control.closest(CHART));
    return [section?.id, place > 0 ? place + 1 : "", control.name].filter(Boolean).join(".");
  };

  const takes = (control, value) => {
    if (control.tagName === "SELECT") return [...control.options].some((option) => option.value === value);
    if (control.type === "radio") return control.value === value; // each button answers for itself
    if (["range", "number"].includes(control.type)) return value !== "" && Number.isFinite(Number(value));
    return true;
  };

  const set = (control, value) => {
    if (valueOf(control) === value || !takes(control, value)) return;
    if (control.type === "checkbox") control.checked = value === "true";
    else if (control.type === "radio") control.checked = true;
    else control.value = value;
    restoring = true;
    for (const kind of ["input", "change"]) control.dispatchEvent(new Event(kind, { bubbles: true }));
    restoring = false;
  };

  const restore = (controls, asked) => {
    for (const control of controls) {
      set(control, asked.get(keyOf(control)) ?? asked.get(control.name) ?? initial.get(control));
    }
  };

  const addressOf = () => {
    const address = new URL(location.href);
    const present = [...initial.keys()].filter((control) => control.isConnected);
    for (const control of present) {
      address.searchParams.delete(control.name); // the full keys say it from now on
      address.searchParams.delete(keyOf(control));
    }
    for (const control of present) {
      if (valueOf(control) !== initial.get(control)) address.searchParams.set(keyOf(control), valueOf(control));
    }
    return address;
  };

  // After a click or a key a chart sets its sliders itself, a moment later; and browsers limit how often one may write.
  const write = () => {
    clearTimeout(pending);
    pending = setTimeout(() => {
      const address = addressOf();
      if (address.href !== location.href) history.replaceState(history.state, "", address);
    }, 250);
  };

  const addCopyButton = (form) => {
    const button = document.createElement("button");
    const answer = document.createElement("span");
    button.type = "button";
    button.className = "copy-view";
    button.textContent = "Copy link to this view";
    answer.setAttribute("role", "status");
    button.addEventListener("click", async () => {
      const address = addressOf();
      address.hash = form.closest("section[id]")?.id ?? "";
      try {
        await navigator.clipboard.writeText(address.href);
        answer.textContent = "Copied.";
      } catch {
        answer.textContent = address.href; // a page may not copy for everyone, but readers can
      }
    });
    form.append(button, answer);
  };

  document.addEventListener("controls", ({ target }) => {
    const added = [...target.querySelectorAll(CONTROLS)].filter((control) => !initial.has(control));
    added.forEach((control) => initial.set(control, valueOf(control)));
    restore(added, opened);
    new Set(added.map((control) => control.form).filter(Boolean)).forEach(addCopyButton);
  });
  window.addEventListener("popstate", () => restore(initial.keys(), new URL(location.href).searchParams));
  for (const kind of ["input", "change", "click", "keyup"]) {
    document.addEventListener(kind, ({ target }) => {
      if (!restoring && target.closest?.(".cell_output")) write();
    });
  }
})();
