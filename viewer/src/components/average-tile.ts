/** <cl-average-tile>: the mean of all maps on the contact sheet, over the mean of their images. */

import { average, type MapPlane, type SheetMap } from "../contact-sheet";
import { element, fill } from "../element";
import { overviewTexts } from "../texts-overviews";
import { drawn, framed } from "./sheet-tile";

const SIDE = 96;
const words = overviewTexts.sheet;

export class AverageTile extends HTMLElement {
  readonly #image = element("canvas", {
    class: "tile-mean",
    attributes: { width: SIDE, height: SIDE, "aria-hidden": "true" },
  });
  readonly #sum = new Float32Array(SIDE * SIDE);
  #pictures = 0;
  #frame = 0;

  constructor(
    readonly maps: readonly SheetMap[],
    readonly finding: string,
  ) {
    super();
    this.setAttribute("role", "listitem");
    this.className = "tile average";
  }

  connectedCallback(): void {
    const planes = this.maps.flatMap(({ map }) => map ?? []);
    if (planes.length === 0) return;
    const scale = planes[0]?.record.saliency_map.unit === "logit" ? planes[0].scale : 1;
    const heat = drawn(average(planes, SIDE), SIDE, SIDE, scale);
    fill(
      this,
      framed(shape(planes), this.#image, heat),
      element("strong", {}, words.average(planes.length)),
      element("span", { class: "weak" }, words.averageHow),
    );
  }

  disconnectedCallback(): void {
    cancelAnimationFrame(this.#frame);
  }

  /** Takes one more picture into the mean. */
  add(picture: HTMLImageElement): void {
    const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d", { willReadFrequently: true });
    if (!context) return;
    context.drawImage(picture, 0, 0, SIDE, SIDE);
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    for (let i = 0; i < this.#sum.length; i++)
      this.#sum[i] = (this.#sum[i] as number) + (data[4 * i + 1] as number);
    this.#pictures += 1;
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    const grey = new ImageData(SIDE, SIDE);
    for (const [i, sum] of this.#sum.entries())
      grey.data.set([...Array(3).fill(sum / this.#pictures), 255], 4 * i);
    this.#image.getContext("2d")?.putImageData(grey, 0, 0);
    this.#image.parentElement?.classList.add("arrived");
  }
}

/** The frame of a mean is as wide as its images are on the average. */
function shape(planes: readonly MapPlane[]): MapPlane {
  const aspects = planes.map(({ pixels: [rows, columns] }) => columns / rows).sort((a, b) => a - b);
  const aspect = aspects[aspects.length >> 1] ?? 1;
  return { ...(planes[0] as MapPlane), pixels: [1, aspect] };
}

customElements.define("cl-average-tile", AverageTile);
