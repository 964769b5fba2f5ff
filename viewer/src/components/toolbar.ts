/** <cl-toolbar>: what is changed often: map, side by side, cells, opacity, window, zoom. */

import { element, fill, write } from "../element";
import type { Reading } from "../reading";
import { texts } from "../texts";
import { CT_WINDOWS, type Voi } from "../window";

type Switch = { button: HTMLButtonElement; on: () => boolean; able: () => boolean };

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
    const view = (): typeof reading.view => reading.view;
    const able = (): boolean => reading.explanation !== null;
    const map = toggle(tools.map, tools.mapTitle, "H", () => reading.toggleMap());
    const side = toggle(tools.side, tools.sideTitle, "S", () =>
      reading.change({ layout: view().layout === "side" ? "one" : "side" }),
    );
    const cells = toggle(tools.cells, tools.cellsTitle, "C", () => reading.change({ cells: !view().cells }));
    const details = toggle(tools.details, tools.detailsTitle, "D", () =>
      reading.change({ details: !view().details }),
    );
    map.classList.add("primary");
    details.setAttribute("aria-controls", "details");
    this.#switches = [
      { button: map, on: () => view().map, able },
      { button: side, on: () => view().layout === "side", able: () => true },
      { button: cells, on: () => view().cells, able },
      { button: details, on: () => view().details, able: () => true },
    ];
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
      group(map, side, cells),
      opacity,
      this.#window,
      group(
        action(tools.fit, tools.fitTitle, "F", () => reading.change({ zoom: null, centre: null })),
        action(tools.oneToOne, tools.oneToOneTitle, "O", () => reading.change({ zoom: 1 })),
      ),
      group(details, action(tools.help, tools.helpTitle, "?", help)),
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
    for (const { button, on, able } of this.#switches) {
      button.setAttribute("aria-pressed", String(on()));
      button.disabled = !able();
    }
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

function action(text: string, title: string, key: string, run: () => void): HTMLButtonElement {
  const attributes = { type: "button", title: texts.tools.withKey(title, key), "aria-keyshortcuts": key };
  return element("button", { attributes, on: { click: run } }, text);
}

function toggle(text: string, title: string, key: string, run: () => void): HTMLButtonElement {
  const button = action(text, title, key, run);
  button.setAttribute("aria-pressed", "false");
  return button;
}

const group = (...children: HTMLElement[]): HTMLElement => element("div", { class: "group" }, ...children);

customElements.define("cl-toolbar", Toolbar);
