/** <cl-models>: the registered models, or one of them: its card, its proof, its operating points, its versions. */

import { element } from "../element";
import { moment, percent, shortDigest, sizes } from "../format";
import { type GoneModel, type Model, type ModelFinding, models, type RegisteredModel } from "../overviews";
import { methodName } from "../texts";
import { overviewTexts } from "../texts-overviews";
import { type Place, toAddress } from "../view";
import type { Page } from "./app";
import { LoadedPage } from "./loaded-page";
import { message } from "./message";
import { type Cell, facts, section, table } from "./table";

const words = overviewTexts.models;

export class Models extends LoadedPage<Model[]> implements Page {
  #model: string | null;

  constructor(model: string | null) {
    super();
    this.#model = model;
  }

  follow(place: Place): boolean {
    if (place.page !== "models") return false;
    this.#model = place.model;
    this.show();
    this.scrollTo(0, 0);
    return true;
  }

  protected ask(): Promise<Model[]> {
    return models();
  }

  protected build(known: Model[]): HTMLElement[] {
    if (known.length === 0) return [message({ title: words.none, how: words.noneHow })];
    if (this.#model === null) return [list(known)];
    const model = known.find(({ key }) => key === this.#model);
    return model ? [one(model, known)] : [message({ title: words.unknown }), back()];
  }
}

const linkTo = (model: Model, text: string): HTMLElement =>
  element(
    "a",
    { class: "link", attributes: { href: toAddress({ page: "models", model: model.key }) } },
    text,
  );

function back(): HTMLElement {
  const href = toAddress({ page: "models", model: null });
  return element("a", { class: "back", attributes: { href } }, `‹ ${words.title}`);
}

function list(known: Model[]): HTMLElement {
  const columns = [
    { name: words.model },
    { name: words.version },
    { name: words.state },
    { name: words.takes },
    { name: words.findings, numbers: true },
    { name: words.grid },
    { name: words.head },
    { name: words.explained, numbers: true },
  ];
  return element(
    "div",
    { class: "overview" },
    element("h1", {}, words.title),
    table(columns, known.map(row)),
  );
}

function row(model: Model): Cell[] {
  const name = element("span", { class: "model-name" }, linkTo(model, model.name));
  const explained = String(count(model, "done"));
  if (!model.card) return [name, model.version, stateBadge(model), "", "", "", "", explained];
  name.append(element("span", { class: "weak" }, model.title));
  return [
    name,
    model.version,
    stateBadge(model),
    takes(model),
    String(model.card.findings.length),
    sizes(model.native_grid),
    words.heads[model.head],
    explained,
  ];
}

const count = (model: Model, state: string): number =>
  model.work.filter((one) => one.state === state).reduce((sum, { number }) => sum + number, 0);

/** An empty modality is that of pictures, whose files name none. */
const takes = ({ card }: RegisteredModel): string =>
  card.modality.map((one) => one || words.noModality).join(", ") || words.anyModality;

/** A model that has explained nothing here yet is in use all the same. */
function state(model: Model): string {
  if (!model.card) return words.gone;
  if (model.retired) return words.retired;
  return model.current || model.work.length === 0 ? words.inUse : words.notCurrent;
}

function stateBadge(model: Model): HTMLElement {
  const told = state(model);
  return element("span", { class: told === words.inUse ? "" : "weak" }, told);
}

function one(model: Model, known: Model[]): HTMLElement {
  const title = element(
    "div",
    { class: "overview-title" },
    element("h1", {}, (model.card && model.title) || model.name),
    element("span", { class: "weak numbers" }, model.key),
    element("span", { class: "badge" }, state(model)),
  );
  return element(
    "div",
    { class: "overview model" },
    back(),
    title,
    ...(model.card ? registered(model) : gone(model)),
    versions(model, known),
  );
}

function gone(model: GoneModel): HTMLElement[] {
  return [
    element("p", { class: "told" }, words.goneHow),
    facts([
      [words.digest, model.digest],
      [words.methodsHere, work(model)],
    ]),
  ];
}

function registered(model: RegisteredModel): HTMLElement[] {
  const told = [...(model.retired ? [words.retiredSince(moment(model.retired))] : []), ...model.cautions];
  return [
    ...told.map((text) => element("p", { class: "told" }, text)),
    element("div", { class: "model-columns" }, card(model), proof(model)),
    section(words.operatingPoints, null, findings(model)),
  ];
}

function card(model: RegisteredModel): HTMLElement {
  const { card } = model;
  return section(
    words.card,
    null,
    facts([
      [words.intendedUse, card.intended_use],
      [words.limits, card.limits || words.noLimits],
      [words.takes, takes(model)],
      [words.input, words.inputValue(sizes(card.size), card.channels, card.fit, card.intensity)],
      [words.output, `${card.output}, ${card.task}`],
      [words.phantoms, words.phantomsValue[card.phantoms] ?? card.phantoms],
      [words.architecture, card.architecture],
      [words.licence, card.licence],
      [words.attribution, card.attribution],
    ]),
  );
}

function proof(model: RegisteredModel): HTMLElement {
  const layer = `${model.target_layer} (${model.layer_named ? words.layerNamed : words.layerFound})`;
  const files = Object.entries(model.files).map(([name, digest]) =>
    element("li", {}, `${name} `, element("code", { attributes: { title: digest } }, shortDigest(digest))),
  );
  return section(
    words.proof,
    null,
    facts([
      [words.proven, model.proof],
      [words.targetLayer, layer],
      [words.grid, sizes(model.native_grid)],
      [words.methodsHere, work(model)],
      [words.parameters, model.parameters.toLocaleString("en")],
      [words.digest, element("code", {}, model.digest)],
      [words.files, element("ul", {}, ...files)],
      [
        words.registered,
        words.registeredBy(moment(model.registered), model.library_version, model.torch_version),
      ],
      [words.checked, model.checked && moment(model.checked)],
    ]),
  );
}

function work(model: Model): Cell {
  if (model.work.length === 0) return words.nothingHere;
  const methods = [...new Set(model.work.map(({ method }) => method))];
  return element(
    "ul",
    {},
    ...methods.map((method) => element("li", {}, `${methodName(method)}: ${workOf(model, method)}`)),
  );
}

const workOf = (model: Model, method: string): string =>
  model.work
    .filter((one) => one.method === method)
    .map(({ number, state }) => words.work(number, words.workStates[state] ?? state))
    .join(", ");

function findings(model: RegisteredModel): HTMLElement {
  const columns = [
    { name: words.finding },
    { name: words.operatingPoint, numbers: true },
    { name: words.code },
    { name: words.maps, silent: true },
  ];
  const rows = model.card.findings.map((finding) => findingRow(model, finding));
  return table(columns, rows);
}

function findingRow(model: RegisteredModel, finding: ModelFinding): Cell[] {
  const point = finding.operating_point;
  return [
    finding.name,
    point === null ? element("span", { class: "weak" }, words.noOperatingPoint) : percent(point),
    finding.code && `${finding.code} “${finding.meaning}”`,
    model.current && count(model, "done") > 0 && maps(model, finding.name),
  ];
}

function maps(model: RegisteredModel, finding: string): HTMLElement {
  const query = new URLSearchParams({ model: model.key, finding }).toString();
  const href = toAddress({ page: "sheet", query });
  return element(
    "a",
    { class: "link", attributes: { href, "aria-label": words.mapsOf(finding) } },
    words.maps,
  );
}

function versions(model: Model, known: Model[]): HTMLElement {
  const others = known.filter(({ name }) => name === model.name);
  const lines = others.map((other) =>
    element(
      "li",
      { attributes: { "aria-current": other === model ? "true" : null } },
      other === model ? other.version : linkTo(other, other.version),
      element("span", { class: "weak" }, ` ${state(other)}`),
    ),
  );
  return section(words.versions, null, element("ul", { class: "versions" }, ...lines));
}

customElements.define("cl-models", Models);
