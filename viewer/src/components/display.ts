/** <cl-display>: how image and map are drawn, beyond what the toolbar has. */

import { COLOUR_MAPS, type ColourMap, colourMapLabel } from "../colour";
import { element } from "../element";
import { switchContours } from "../evidence-contours";
import type { Reading } from "../reading";
import { hasSlabs, SLABS } from "../slab";
import { texts } from "../texts";
import { asWindow } from "../window";
import { action, group, mark, type Switch, toggle } from "./buttons";
import { orientationSwitches } from "./tool-buttons";

export class Display extends HTMLElement {
  readonly #abort = new AbortController();
  readonly #switches: Switch[];
  readonly #colours = element(
    "select",
    { attributes: { id: "colour-map" }, on: { change: () => this.#choose() } },
    ...COLOUR_MAPS.map((name) => element("option", { attributes: { value: name } }, colourMapLabel(name))),
  );
  readonly #slab = element(
    "select",
    {
      attributes: { id: "slab", title: texts.tools.withKey(texts.details.slabTitle, "B") },
      on: { change: () => this.reading.change({ slab: Number(this.#slab.value) }) },
    },
    ...SLABS.map((mm) => element("option", { attributes: { value: mm } }, slabName(mm))),
  );
  readonly #center = this.#windowField("window-center");
  readonly #width = this.#windowField("window-width");

  constructor(readonly reading: Reading) {
    super();
    const { details, tools } = texts;
    const drawn = switches(reading);
    const lying = orientationSwitches(reading);
    this.#switches = [...drawn, ...lying];
    this.append(
      element("h2", {}, details.display),
      group(...drawn.map(({ button }) => button)),
      group(...lying.map(({ button }) => button)),
      group(
        action({ name: tools.fit, title: tools.fitTitle, key: "F" }, () =>
          reading.change({ zoom: null, centre: null }),
        ),
        action({ name: tools.oneToOne, title: tools.oneToOneTitle, key: "O" }, () =>
          reading.change({ zoom: 1 }),
        ),
      ),
      field(details.slab, this.#slab),
      field(details.colourMap, this.#colours),
      field(details.center, this.#center),
      field(details.width, this.#width),
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

  #windowField(id: string): HTMLInputElement {
    return element("input", {
      attributes: { id, type: "number", step: "any" },
      on: { change: () => this.#takeWindow() },
    });
  }

  #choose(): void {
    this.reading.change({ colourMap: this.#colours.value as ColourMap });
  }

  #takeWindow(): void {
    const { voi } = this.reading;
    const [center, width] = [this.#center.valueAsNumber, this.#width.valueAsNumber];
    if (!voi || !Number.isFinite(center) || !(width > 0)) {
      this.#writeWindow();
      return;
    }
    const window = asWindow(voi);
    const least = window.function === "LINEAR" ? 1 : width;
    this.reading.change({ window: { ...window, center, width: Math.max(least, width), explanation: "" } });
  }

  #update(): void {
    const { view } = this.reading;
    if (!view.details) return;
    mark(this.#switches);
    this.#colours.value = view.colourMap;
    this.#slab.value = String(view.slab);
    this.#slab.disabled = !hasSlabs(this.reading);
    this.#writeWindow();
  }

  #writeWindow(): void {
    const { voi, image } = this.reading;
    for (const input of [this.#center, this.#width]) input.disabled = !voi || image?.header.colour === true;
    if (!voi) return;
    const { center, width } = asWindow(voi);
    this.#center.value = String(Number(center.toPrecision(6)));
    this.#width.value = String(Number(width.toPrecision(6)));
  }
}

/** What is on or off. */
function switches(reading: Reading): Switch[] {
  const { tools, display } = texts;
  const explained = (): boolean => reading.explanation !== null;
  return [
    toggle(
      { name: tools.cells, title: tools.cellsTitle, key: "C" },
      () => reading.change({ cells: !reading.view.cells }),
      () => reading.view.cells,
      explained,
    ),
    toggle(
      { name: texts.compare.ownScale, title: texts.compare.ownScaleTitle, key: "A" },
      () => reading.change({ ownScale: !reading.view.ownScale }),
      () => reading.view.ownScale,
      explained,
    ),
    toggle(
      { name: display.contours, title: display.contoursTitle, key: "V" },
      () => switchContours(reading),
      () => reading.view.contours,
      explained,
    ),
  ];
}

const slabName = (mm: number): string => (mm === 0 ? texts.details.noSlab : `${mm} ${texts.units.mm}`);

function field(name: string, input: HTMLElement): HTMLElement {
  return element("div", { class: "field" }, element("label", { attributes: { for: input.id } }, name), input);
}

customElements.define("cl-display", Display);
