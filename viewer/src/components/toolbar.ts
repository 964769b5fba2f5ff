/** <cl-toolbar>: what is changed often: map, side by side, cells, opacity, window, zoom. */

import { element, fill, write } from "../element";
import type { Reading } from "../reading";
import { texts } from "../texts";
import type { Layout } from "../view";
import { CT_WINDOWS, type Voi } from "../window";
import { action, group, mark, type Switch, toggle } from "./buttons";
import { toolSwitches } from "./tool-buttons";

export class Toolbar extends HTMLElement {
  readonly #abort = new AbortController();
  readonly #switches: Switch[];
  readonly #opacity = element("input", {
    attributes: { type: "range", min: 0, max: 100, step: 1, id: "opacity" },
    on: { input: () => this.reading.change({ opacity: Number(this.#opacity.value) }) },
  });
  readonly #opacityShown = element("output", { class: "numbers", attributes: { for: "opacity" } });
  readonly #window = element("select", {
    attributes: {
      "aria-label": texts.tools.window,
      title: texts.tools.withKey(texts.tools.windowTitle, "W"),
    },
    on: { change: () => this.#chooseWindow() },
  });
  #presets = "";

  constructor(
    readonly reading: Reading,
    help: () => void,
  ) {
    super();
    const { tools } = texts;
    const map = toggle(
      { name: tools.map, title: tools.mapTitle, key: "H" },
      () => reading.toggleMap(),
      () => reading.view.map,
      () => reading.explanation !== null,
    );
    const layouts = layoutSwitches(reading);
    const drawing = toolSwitches(reading);
    const details = toggle(
      { name: tools.details, title: tools.detailsTitle, key: "D", icon: "panel" },
      () => reading.change({ details: !reading.view.details }),
      () => reading.view.details,
    );
    map.button.classList.add("primary");
    details.button.setAttribute("aria-controls", "details");
    const flag = flagSwitches(reading);
    this.#switches = [map, ...layouts, ...drawing, ...flag, details];
    const opacity = element(
      "label",
      { class: "opacity", attributes: { title: tools.withKey(tools.opacityTitle, "[  ]") } },
      element("span", { class: "weak" }, tools.opacity),
      this.#opacity,
      this.#opacityShown,
    );
    this.setAttribute("role", "toolbar");
    this.setAttribute("aria-label", tools.label);
    this.append(
      map.button,
      opacity,
      this.#window,
      group(...layouts.map(({ button }) => button)),
      group(...drawing.map(({ button }) => button)),
      group(
        ...flag.map(({ button }) => button),
        details.button,
        action({ name: tools.help, title: tools.helpTitle, key: "?" }, help),
      ),
    );
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    for (const type of ["data", "view"])
      this.reading.addEventListener(type, () => this.#update(), { signal });
    this.#update();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #update(): void {
    const { opacity } = this.reading.view;
    mark(this.#switches);
    this.#opacity.value = String(opacity);
    write(this.#opacityShown, `${opacity}\u2009%`);
    this.#updateWindow();
  }

  #updateWindow(): void {
    const { presets, view, image } = this.reading;
    this.#window.disabled = !image || image.header.colour;
    const names = [...presets.map(presetName), texts.tools.windowDragged];
    if (this.#presets !== names.join("|")) {
      this.#presets = names.join("|");
      fill(this.#window, ...names.map((name, i) => element("option", { attributes: { value: i } }, name)));
      const dragged = this.#window.lastElementChild;
      // Shown when a window was dragged; not a choice.
      if (dragged instanceof HTMLOptionElement) dragged.hidden = true;
    }
    const { window } = view;
    this.#window.value = String(window === null ? 0 : typeof window === "number" ? window : presets.length);
  }

  #chooseWindow(): void {
    this.reading.change({ window: Number(this.#window.value) });
  }
}

function presetName(voi: Voi, index: number): string {
  if ("lut" in voi) return voi.lut.explanation || texts.tools.voiLut(index + 1);
  const { explanation, center, width } = voi.window;
  const name = explanation || texts.tools.windowNumber(index + 1);
  return CT_WINDOWS.includes(voi.window) ? `${name} ${center}/${width}` : name;
}

/** One button for each layout; pressed again, it leads back to one viewport. */
function layoutSwitches(reading: Reading): Switch[] {
  const { tools } = texts;
  const choose = (layout: Layout) => () =>
    reading.change({ layout: reading.view.layout === layout ? "one" : layout });
  const shown = (layout: Layout) => () => reading.view.layout === layout;
  return [
    toggle(
      { name: tools.side, title: tools.sideTitle, key: "S", icon: "side" },
      choose("side"),
      shown("side"),
    ),
    toggle(
      { name: tools.swipe, title: tools.swipeTitle, key: "X", icon: "swipe" },
      choose("swipe"),
      shown("swipe"),
    ),
    toggle(
      { name: tools.planes, title: tools.planesTitle, key: "P", icon: "planes" },
      choose("planes"),
      shown("planes"),
      () => reading.slices > 1,
    ),
  ];
}

/** The way to flag a map, where somebody keeps flags. */
function flagSwitches({ remarks }: Reading): Switch[] {
  if (!remarks) return [];
  const { flag } = texts;
  return [
    toggle(
      { name: flag.open, title: flag.openTitle, key: "Y", icon: "flag" },
      () => remarks.toggleForm(),
      () => remarks.flagging,
      () => remarks.reading.explanation !== null,
    ),
  ];
}

customElements.define("cl-toolbar", Toolbar);
