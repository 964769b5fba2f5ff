/** <cl-details>: display settings, the map, trust, provenance and notes; folded until asked for. */

import { element, fill } from "../element";
import { sizes } from "../format";
import { cellSize } from "../probe";
import type { Reading } from "../reading";
import { methodName, texts } from "../texts";
import { trustOf } from "../trust";
import { type Line, provenanceLines, trustSentences } from "../trust-lines";
import type { Explanation } from "../types";
import { toAddress } from "../view";
import { Compare } from "./compare";
import { Display } from "./display";
import { Flags } from "./flags";
import { trustList } from "./trust-badge";

export class Details extends HTMLElement {
  readonly #abort = new AbortController();
  readonly #words = element("div", { class: "details-words" });
  #shown: unknown[] = [];

  constructor(
    readonly reading: Reading,
    /** Buttons that keep what is seen. */
    keeping: HTMLElement,
  ) {
    super();
    this.id = "details";
    this.setAttribute("role", "complementary");
    this.setAttribute("aria-label", texts.details.title);
    const { remarks } = reading;
    this.append(
      new Display(reading),
      new Compare(reading),
      ...(remarks ? [new Flags(remarks)] : []),
      keeping,
      this.#words,
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
    const { reading } = this;
    this.hidden = !reading.view.details;
    if (this.hidden) return;
    const shown = [reading.explanation, reading.image, reading.view.finding];
    if (this.#shown.length > 0 && shown.every((value, i) => value === this.#shown[i])) return;
    this.#shown = shown;
    fill(this.#words, ...words(reading));
  }
}

function words(reading: Reading): HTMLElement[] {
  const { details } = texts;
  const record = reading.explanation?.record;
  const notes = reading.image?.header.notes ?? [];
  return [
    ...(record ? explained(reading, record) : []),
    ...(notes.length > 0 ? [element("h2", {}, details.notes), sentences(notes)] : []),
  ];
}

function explained(reading: Reading, record: Explanation): HTMLElement[] {
  const { details } = texts;
  const { cautions } = record.trust;
  return [
    element("h2", {}, details.map),
    list(mapLines(reading, record)),
    element("h2", {}, details.trust),
    ...trust(reading, record),
    ...(cautions.length > 0 ? [element("h2", {}, details.cautions), sentences(cautions)] : []),
    element("h2", {}, details.provenance),
    list(provenanceLines(record)),
    ...(reading.remarks ? [modelLink(record)] : []),
  ];
}

/** What is known of the chosen finding's map, and of all maps of this model. */
function trust({ view: { finding } }: Reading, record: Explanation): HTMLElement[] {
  const ofModel = sentences(trustSentences(record));
  return finding === null ? [ofModel] : [trustList(trustOf(record, finding)), ofModel];
}

/** To the page of the model that explained; only the station has one. */
function modelLink({ provenance }: Explanation): HTMLElement {
  const model = `${provenance.model_name}@${provenance.model_version}`;
  return element(
    "a",
    { class: "back", attributes: { href: toAddress({ page: "models", model }) } },
    texts.details.aboutModel,
  );
}

function mapLines(reading: Reading, record: Explanation): Line[] {
  const { details, viewport } = texts;
  const { geometry, target_layer } = record.saliency_map;
  const { method, method_variant } = record.provenance;
  const size = cellSize(reading);
  const shown = size ? (size.mm ? viewport.cellMm : viewport.cellPixels)(sizes(size.values)) : "";
  return [
    [details.method, methodName(method)],
    ...(method_variant ? [[details.variant, method_variant] as Line] : []),
    [details.targetLayer, target_layer],
    [details.nativeGrid, sizes(geometry.native_shape)],
    [details.cellSize, shown],
  ];
}

function list(lines: Line[]): HTMLElement {
  const pairs = lines.flatMap(([name, value, title]) => [
    element("dt", {}, name),
    element("dd", { attributes: { title: title ?? null } }, value),
  ]);
  return element("dl", {}, ...pairs);
}

const sentences = (all: readonly string[]): HTMLElement =>
  element("ul", { class: "sentences" }, ...all.map((one) => element("li", {}, one)));

customElements.define("cl-details", Details);
