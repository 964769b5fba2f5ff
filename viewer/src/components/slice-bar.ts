/** <cl-slice-bar>: the slices of a volume, with a profile that shows where along them the evidence is. */

import { element, write } from "../element";
import { frameIndex, framesOf, toFrame } from "../frames";
import { crossAtStrongest } from "../planes";
import { borrowedFrom, evidenceProfile, peak } from "../profile";
import type { Reading } from "../reading";
import { scrolls } from "../scrolling";
import { texts } from "../texts";

const HEIGHT = 28;
/** How opaque evidence is drawn on slices that have it from their neighbours. */
const BORROWED = 0.45;

export class SliceBar extends HTMLElement {
  readonly #abort = new AbortController();
  readonly #slider = element("input", {
    attributes: { type: "range", min: 0, step: 1, "aria-label": texts.slices.label },
    on: { input: () => this.#slideTo(Number(this.#slider.value)) },
  });
  readonly #profile = element("canvas", {
    class: "profile",
    attributes: {
      height: HEIGHT,
      role: "img",
      "aria-label": texts.slices.evidence,
      title: texts.slices.evidence,
    },
  });
  readonly #number = element("output", { class: "numbers" });
  readonly #peak = element(
    "button",
    {
      attributes: { type: "button", title: texts.tools.withKey(texts.slices.peakTitle, "E") },
      on: { click: () => toPeak(this.reading) },
    },
    texts.slices.peak,
  );
  #drawn: unknown = null;

  constructor(readonly reading: Reading) {
    super();
    const track = element("div", { class: "track" }, this.#profile, this.#slider);
    this.append(this.#number, track, this.#peak);
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
    this.hidden = !scrolls(this.reading);
    if (this.hidden) return;
    const volume = this.reading.slices > 1;
    const count = volume ? this.reading.slices : framesOf(this.reading).length;
    const at = volume ? this.reading.slice : frameIndex(this.reading);
    const words = volume ? texts.slices : texts.slices.frames;
    this.style.setProperty("--slices", String(count));
    this.#slider.max = String(count - 1);
    this.#slider.value = String(at);
    this.#slider.setAttribute("aria-label", words.label);
    this.#slider.setAttribute("aria-valuetext", words.value(at + 1, count));
    write(this.#number, `${at + 1} / ${count}`);
    for (const part of [this.#profile, this.#peak]) part.hidden = !volume;
    const profile = profileOf(this.reading);
    this.#peak.disabled = !profile || peak(profile) === null;
    this.#paint(profile);
  }

  #slideTo(at: number): void {
    if (this.reading.slices > 1) this.reading.toSlice(at);
    else toFrame(this.reading, at);
  }

  #paint(profile: Float64Array | null): void {
    if (profile === this.#drawn) return;
    this.#drawn = profile;
    const slices = this.reading.slices;
    this.#profile.width = slices;
    const context = this.#profile.getContext("2d");
    const geometry = this.reading.explanation?.record.saliency_map.geometry;
    if (!context || !profile || !geometry) return;
    const most = profile.reduce((a, b) => Math.max(a, b), 0) || 1;
    context.fillStyle = getComputedStyle(this).getPropertyValue("--evidence");
    profile.forEach((value, slice) => {
      const height = (HEIGHT * value) / most;
      context.globalAlpha = borrowedFrom(geometry, slice, true).length > 0 ? BORROWED : 1;
      context.fillRect(slice, HEIGHT - height, 1, height);
    });
  }
}

const profiles = new WeakMap<Float32Array, Float64Array>();

/** The profile of the chosen finding, while its map is on; computed once for each map. */
function profileOf(reading: Reading): Float64Array | null {
  const { finding } = reading.view;
  const map = reading.mapShown && finding !== null ? reading.map(finding) : null;
  const geometry = reading.explanation?.record.saliency_map.geometry;
  if (!map || !geometry || geometry.native_shape.length !== 3) return null;
  const profile = profiles.get(map) ?? evidenceProfile(map, geometry);
  profiles.set(map, profile);
  return profile;
}

/** Goes to the slice with most evidence for the chosen finding; three planes meet in the cell with most. */
export function toPeak(reading: Reading): void {
  if (reading.view.layout === "planes") {
    crossAtStrongest(reading);
    return;
  }
  const profile = profileOf(reading);
  const slice = profile && peak(profile);
  if (slice !== null) reading.toSlice(slice);
}

customElements.define("cl-slice-bar", SliceBar);
