/** <camlucida-panel>: the findings of the image in the active viewport, and how their evidence is shown. */

import { probabilityBar } from "../../../viewer/src/components/probability";
import { element, fill, write } from "../../../viewer/src/element";
import { card } from "../../../viewer/src/finding-lines";
import { evidence as evidenceText, type Row, reported, rows, state } from "../../../viewer/src/finding-rows";
import { number, percent, probability } from "../../../viewer/src/format";
import { ends, ramp, STEPS } from "../../../viewer/src/ramp";
import { methodName, texts } from "../../../viewer/src/texts";
import { trustOf } from "../../../viewer/src/trust";
import { type Line, provenanceLines, trustSentences } from "../../../viewer/src/trust-lines";
import type { ExplanationRow } from "../../../viewer/src/types";
import { COLOUR_MAP, type Evidence, type Known, nameOf, type Shown } from "./evidence";
import { FlagForm } from "./flag-form";
import type { CornerstoneViewport, Ohif } from "./ohif";
import sheet from "./panel.css?inline";
import { peakSlice } from "./peak";
import { type FoundImage, NotReached, SignedOut } from "./station";
import { words } from "./texts";

export const PANEL = "camlucida-panel";
export const KEY = "m";

/** What the panel looks at; OHIF makes the element by its name, so it is told here. */
let parts: { ohif: Ohif; evidence: Evidence } | null = null;

export function usePanel(ohif: Ohif, evidence: Evidence): void {
  parts = { ohif, evidence };
  if (!customElements.get(PANEL)) customElements.define(PANEL, Panel);
}

class Panel extends HTMLElement {
  readonly #root = this.attachShadow({ mode: "open" });
  readonly #body = element("div", { class: "body" });
  readonly #map = element("button", {
    attributes: { type: "button", title: words.mapTitle(KEY), "aria-keyshortcuts": KEY },
    on: { click: () => this.#evidence?.toggle() },
  });
  readonly #cells = element("button", {
    attributes: { type: "button", title: words.cellsTitle },
    on: { click: () => this.#evidence?.change({ cells: !this.#evidence.view.cells }) },
  });
  readonly #opacity = element("input", {
    attributes: { type: "range", min: 0, max: 100, "aria-label": words.opacity },
    on: { input: () => this.#evidence?.change({ opacity: this.#opacity.valueAsNumber / 100 }) },
  });
  readonly #percent = element("output", { class: "numbers" });
  readonly #list = element("div", { class: "list" });
  readonly #chosen = element("div", { class: "chosen", attributes: { "aria-live": "polite" } });
  readonly #flag = new FlagForm();
  #abort = new AbortController();
  #built: unknown[] = [];
  #described: unknown[] = [];

  constructor() {
    super();
    const style = new CSSStyleSheet();
    style.replaceSync(sheet);
    this.#root.adoptedStyleSheets = [style];
    this.#map.textContent = words.map;
    this.#cells.textContent = words.cells;
    this.#root.append(this.#body, element("p", { class: "notice" }, words.notice));
  }

  get #evidence(): Evidence | null {
    return parts?.evidence ?? null;
  }

  connectedCallback(): void {
    if (!parts) return;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    parts.evidence.addEventListener("change", () => this.#update(), { signal });
    const grid = parts.ohif.services.viewportGridService;
    for (const name of ["ACTIVE_VIEWPORT_ID_CHANGED", "GRID_STATE_CHANGED", "VIEWPORTS_READY"]) {
      const event = grid.EVENTS[name];
      if (!event) continue;
      const { unsubscribe } = grid.subscribe(event, () => this.#update());
      signal.addEventListener("abort", () => unsubscribe());
    }
    // Another slice, or another image in the same viewport.
    document.addEventListener("CORNERSTONE_IMAGE_RENDERED", () => this.#update(), { signal, capture: true });
    this.#built = [];
    this.#update();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #update(): void {
    if (!parts) return;
    const { ohif, evidence } = parts;
    const viewport = ohif.active;
    const instance = viewport && ohif.shown(viewport);
    if (!viewport || !instance) {
      this.#message(words.states.noImage);
      return;
    }
    const known = evidence.of(instance, () => ohif.instances(viewport));
    if (known.state === "explained") this.#show(viewport, known.image, known.shown, evidence);
    else this.#tell(known, evidence);
  }

  // ---- where there is no map ----

  #tell(known: Exclude<Known, { state: "explained" }>, evidence: Evidence): void {
    const { title, how, action } = known.state === "failed" ? failure(known.error, evidence) : told(known);
    const made = { again: () => this.#again(evidence), token: () => token(evidence) };
    this.#message(title, how, action ? made[action] : undefined);
  }

  #message(title: string, how = "", action?: () => HTMLElement): void {
    if (!this.#changed([title, how])) return;
    const said = [element("h2", {}, title), how, action?.()];
    fill(this.#body, element("div", { class: "message", attributes: { role: "status" } }, ...said));
  }

  #again(evidence: Evidence): HTMLElement {
    const on = { click: () => evidence.retry() };
    return element("button", { attributes: { type: "button" }, on }, words.states.again);
  }

  /** Whether something else is to be built than what stands there. */
  #changed(wanted: unknown[]): boolean {
    if (wanted.length === this.#built.length && wanted.every((one, i) => one === this.#built[i]))
      return false;
    this.#built = wanted;
    this.#described = [];
    return true;
  }

  // ---- where there is one ----

  #show(viewport: CornerstoneViewport, image: FoundImage, shown: Shown, evidence: Evidence): void {
    if (this.#changed([shown, image.key])) this.#build(image, shown, evidence);
    const { map, opacity, cells, finding } = evidence.view;
    this.#map.ariaPressed = String(map);
    this.#cells.ariaPressed = String(cells);
    if (this.#opacity.valueAsNumber !== Math.round(100 * opacity))
      this.#opacity.valueAsNumber = Math.round(100 * opacity);
    write(this.#percent, percent(opacity));
    for (const button of this.#list.querySelectorAll("button"))
      button.ariaPressed = String(button.dataset.finding === finding);
    this.#describe(viewport, image, shown, evidence);
  }

  #build(image: FoundImage, shown: Shown, evidence: Evidence): void {
    const { record } = shown;
    const all = rows(record);
    const over = all.filter((row) => reported(row) === true).length;
    fill(this.#list, ...all.map((row) => this.#finding(row, shown, evidence)));
    fill(
      this.#body,
      element("div", { class: "tools" }, this.#map, this.#cells, this.#opacity, this.#percent),
      element(
        "div",
        { class: "head" },
        element("h2", {}, texts.study.findings),
        element("span", { class: "weak" }, texts.study.reported(over, all.length)),
      ),
      this.#list,
      this.#chosen,
      this.#flag,
      explainedBy(image, shown, evidence),
    );
  }

  #finding(row: Row, { record }: Shown, evidence: Evidence): HTMLButtonElement {
    const button = element(
      "button",
      {
        class: `finding${reported(row) === false ? " below" : ""}`,
        attributes: { type: "button", title: texts.finding.choose(row.name), "data-finding": row.name },
        on: { click: () => evidence.change({ finding: row.name, map: true }) },
      },
      element("span", { class: "finding-name" }, row.name),
      element("span", { class: "finding-probability numbers" }, probability(row.probability)),
      probabilityBar(row.probability, row.operatingPoint),
      element(
        "span",
        { class: "finding-foot" },
        element("span", { class: "numbers" }, evidenceText(row, record)),
        element("span", {}, state(row)),
      ),
    );
    button.disabled = row.map < 0;
    return button;
  }

  #describe(viewport: CornerstoneViewport, image: FoundImage, shown: Shown, evidence: Evidence): void {
    const { finding, opacity } = evidence.view;
    const wanted = [shown, finding, opacity, viewport.type];
    if (this.#described.length > 0 && wanted.every((one, i) => one === this.#described[i])) return;
    this.#described = wanted;
    const map = evidence.map(shown);
    this.#flag.about(
      map && finding !== null
        ? { evidence, shown, finding, viewport: () => parts?.ohif.active ?? null }
        : null,
    );
    if (!map) {
      fill(this.#chosen, element("p", { class: "weak" }, words.none));
      return;
    }
    const { record } = shown;
    fill(
      this.#chosen,
      ...card(record, map.index),
      record.saliency_map.supported[map.index] ? legend(map.scale, opacity, record.saliency_map.unit) : null,
      this.#toPeak(viewport, image, shown, map.values),
      details(words.trust, [
        sentences([
          ...trustOf(record, map.index).map(({ text }) => text),
          ...trustSentences(record),
          ...record.trust.cautions,
        ]),
      ]),
      details(words.provenance, [lines(provenanceLines(record))]),
      image.notes.length > 0 ? details(words.notes, [sentences(image.notes)]) : null,
    );
  }

  #toPeak(
    viewport: CornerstoneViewport,
    image: FoundImage,
    { record }: Shown,
    values: Float32Array,
  ): HTMLElement | null {
    const slice = peakSlice(values, record.saliency_map.geometry);
    const uid = image.instances.find((one) => one.slice === slice)?.sop_instance_uid;
    const at = uid === undefined ? -1 : (parts?.ohif.instances(viewport).indexOf(uid) ?? -1);
    if (slice === null || at < 0 || viewport.type !== "stack") return null;
    const on = { click: () => void parts?.ohif.active?.setImageIdIndex?.(at) };
    return element(
      "button",
      { attributes: { type: "button", title: words.peakTitle }, on },
      `${words.peak}: ${texts.viewport.slice(at + 1, image.instances.length)}`,
    );
  }
}

interface Said {
  title: string;
  how: string;
  action?: "again" | "token";
}

/** Why there is no map, and what to do. */
function told(known: Exclude<Known, { state: "explained" | "failed" }>): Said {
  const { states } = words;
  switch (known.state) {
    case "loading":
      return { title: states.loading, how: "" };
    case "unknown":
      return { title: states.unknown, how: states.unknownHow, action: "again" };
    case "no explanation":
      return { title: states.noExplanation, how: "", action: "again" };
    case "waiting":
      return { title: states.waiting, how: known.reason ?? states.waitingHow };
    case "refused":
      return { title: states.refused, how: known.reason ?? "" };
  }
}

function failure(error: unknown, { station }: Evidence): Said {
  const { states } = words;
  if (error instanceof NotReached)
    return { title: states.notReached, how: states.notReachedHow(station.url), action: "again" };
  if (!(error instanceof SignedOut))
    return { title: states.failed, how: error instanceof Error ? error.message : "", action: "again" };
  if (station.foreign) return { title: states.signedOut, how: states.tokenHow, action: "token" };
  return { title: states.signedOut, how: states.signedOutHow, action: "again" };
}

/** The model and method that have explained the image; a choice where there are several. */
function explainedBy(image: FoundImage, { row }: Shown, evidence: Evidence): HTMLElement {
  const told = (one: ExplanationRow) =>
    words.version(one.model, one.model_version, methodName(one.method)) +
    (one.state === "explained" ? "" : ` · ${texts.states[one.state]}`);
  if (image.explanations.length < 2) return element("p", { class: "by weak" }, `${words.model} ${told(row)}`);
  const choice = element(
    "select",
    { on: { change: () => evidence.change({ by: choice.value }) } },
    ...image.explanations.map((one) => element("option", { attributes: { value: nameOf(one) } }, told(one))),
  );
  choice.value = nameOf(row);
  return element("label", { class: "by weak" }, words.model, choice);
}

function legend(scale: number, opacity: number, unit: "logit" | "relative"): HTMLElement {
  const bar = element("canvas", { attributes: { width: 1, height: STEPS } });
  bar.getContext("2d")?.putImageData(new ImageData(ramp(0, scale, opacity, COLOUR_MAP), 1, STEPS), 0, 0);
  const relative = unit === "relative";
  const { legend: told } = texts;
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", told.label("0", number(scale), relative ? told.relative : told.logits));
  return element(
    "div",
    { class: "legend" },
    bar,
    element("div", { class: "ticks numbers" }, ...ends(0, scale).map((end) => element("span", {}, end))),
    element(
      "div",
      { class: "weak" },
      element("div", {}, relative ? told.relativeTitle : told.title),
      element("div", {}, relative ? told.own : told.fixed),
    ),
  );
}

function token(evidence: Evidence): HTMLElement {
  const field = element("input", {
    attributes: { type: "password", autocomplete: "off", "aria-label": words.states.token },
  });
  const use = (event: Event) => {
    event.preventDefault();
    evidence.station.useToken(field.value);
    evidence.retry();
  };
  const button = element("button", { attributes: { type: "submit" } }, words.states.useToken);
  return element("form", { class: "token", on: { submit: use } }, field, button);
}

function details(title: string, content: HTMLElement[]): HTMLElement {
  return element("details", {}, element("summary", {}, title), ...content);
}

const lines = (all: Line[]): HTMLElement =>
  element(
    "dl",
    {},
    ...all.flatMap(([name, value, title]) => [
      element("dt", {}, name),
      element("dd", { attributes: { title: title ?? null } }, value),
    ]),
  );

const sentences = (all: readonly string[]): HTMLElement =>
  element("ul", {}, ...all.map((one) => element("li", {}, one)));
