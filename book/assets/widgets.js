// Shows the ipywidgets of a page that has no kernel: from the state that its notebook was saved with, models and views
// are made as a kernel's page makes them, and those linked in the browser (jslink, jsdlink) move together. What needs
// Python stays still. Models and views are those of `jupyterWidgets`, which the build takes from a package.

class StaticManager {
  // What models and views ask for formulas in their labels: there are none.
  _rendermime = { latexTypesetter: { typeset() {} } };
  #models = new Map();
  #shown = new WeakMap(); // element of a view -> its model

  constructor(library, state) {
    this.library = library;
    this.state = state;
  }

  has_model(id) {
    return id in this.state;
  }

  get_model(id) {
    if (!this.#models.has(id)) this.#models.set(id, this.#made(id));
    return this.#models.get(id);
  }

  async #made(id) {
    if (!this.has_model(id)) throw new Error(`The notebook was saved without the state of its widget ${id}.`);
    const { model_name, state } = this.state[id];
    const Model = this.#named(model_name);
    const attributes = await Model._deserialize_state({ ...state }, this);
    return new Model(attributes, { widget_manager: this, model_id: id });
  }

  #named(name) {
    if (name in this.library) return this.library[name];
    throw new Error(`${name} is no widget that this site can show.`);
  }

  async create_view(model, options = {}) {
    const View = this.#named(model.get("_view_name"));
    const view = new View({ model, options });
    view.listenTo(model, "destroy", view.remove);
    await view.render();
    this.#shown.set(view.el, model);
    return view;
  }

  // The model that an element of the page shows.
  model_of(element) {
    return this.#shown.get(element);
  }

  callbacks() {
    return {};
  }

  // Links between widgets are widgets of their own that no view leads to.
  link() {
    const links = Object.entries(this.state).filter(([, { model_name }]) => model_name.endsWith("LinkModel"));
    return Promise.all(links.map(([id]) => this.get_model(id)));
  }
}

// Sets only what differs: the observers below hear of every change, also of their own.
function assign(element, attribute, value) {
  if (element && element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
}

// A slider says its name and its value in words; the value beside it is no field to write in.
function nameSliders(host) {
  for (const slider of host.querySelectorAll(".widget-hslider")) {
    const handle = slider.querySelector(".noUi-handle");
    const readout = slider.querySelector(".widget-readout");
    assign(handle, "aria-label", slider.querySelector(".widget-label").textContent);
    assign(handle, "aria-valuetext", readout.textContent);
    assign(readout, "contenteditable", "false");
    assign(readout, "aria-hidden", "true"); // the handle says it
  }
}

// A control with a class "setting-…" becomes a field of that name, which other scripts can read and set as they do with
// any field; an event "controls" tells them. A slider is no field: a hidden one beside it holds its value.
function nameSettings(host, manager) {
  const added = host.querySelectorAll("[class*=setting-]:not(:has([name]))");
  for (const control of added) {
    const [, name] = control.className.match(/\bsetting-(\S+)/);
    const field = control.querySelector("select") ?? control.appendChild(fieldOf(manager.model_of(control)));
    field.name = name;
  }
  if (added.length) host.dispatchEvent(new Event("controls", { bubbles: true }));
}

function fieldOf(model) {
  const labels = model.get("_options_labels");
  const field = document.createElement("input");
  field.type = "hidden";
  field.value = labels[model.get("index")];
  field.addEventListener("change", () => {
    if (!labels.includes(field.value)) return;
    // In a task of its own: a box that is replaced while its content is replaced, too, is an error in ipywidgets.
    setTimeout(() => model.set("index", labels.indexOf(field.value)));
  });
  model.on("change:index", () => {
    field.value = labels[model.get("index")];
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  return field;
}

// Says the caption of a picture that has taken the place of another, and keeps its numbers unfolded if they were.
function followPictures(host) {
  const status = document.createElement("div");
  status.className = "visually-hidden";
  status.role = "status";
  host.after(status);
  let shown;
  let unfolded = false;
  host.addEventListener("click", ({ target }) => {
    const details = target.closest("summary")?.parentElement;
    if (details) unfolded = !details.open;
  });
  return () => {
    const figure = host.querySelector("figure");
    const caption = figure?.querySelector("figcaption")?.textContent;
    if (!caption || caption === shown) return;
    if (shown) status.textContent = caption; // the first one is no news
    shown = caption;
    figure.querySelectorAll("details").forEach((details) => (details.open = unfolded));
  };
}

async function show(manager, script) {
  const host = document.createElement("div");
  host.className = "static-widgets";
  script.after(host);
  const model = await manager.get_model(JSON.parse(script.textContent).model_id);
  const view = await manager.create_view(model);
  view.luminoWidget.constructor.attach(view.luminoWidget, host);
  const follow = followPictures(host);
  const look = () => {
    nameSliders(host);
    nameSettings(host, manager);
    follow();
  };
  const attributeFilter = ["aria-valuetext", "contenteditable"];
  new MutationObserver(look).observe(host, { subtree: true, childList: true, attributeFilter });
  look();
}

async function showAll() {
  const saved = document.querySelector('script[type="application/vnd.jupyter.widget-state+json"]');
  const manager = new StaticManager(window.jupyterWidgets, JSON.parse(saved.textContent).state);
  const views = document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]');
  await manager.link();
  await Promise.all(Array.from(views, (script) => show(manager, script)));
}

showAll();
