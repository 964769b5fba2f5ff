/** A study as a row of the worklist. */

import { element } from "../element";
import { date, description, personName, probability } from "../format";
import { texts } from "../texts";
import { overviewTexts } from "../texts-overviews";
import type { FindingSummary, StudyRow } from "../types";
import { DEFAULT_VIEW, toAddress } from "../view";
import { phantomBadge } from "./phantom-badge";
import { probabilityBar } from "./probability";

const { worklist } = overviewTexts;

/** The cells of a study; its link is what the keyboard stands on. */
export function studyCells(study: StudyRow): HTMLElement[] {
  return [
    cell("who", who(study)),
    cell("numbers", date(study.study_date) || weak(worklist.noDate)),
    cell("text", description(study.description) || weak(worklist.noDescription)),
    cell("", study.modality),
    cell("numbers", String(study.images)),
    cell("strongest", findings(study)),
    cell("", state(study)),
  ];
}

/** A study that has not come yet: as high as one, so that nothing moves when it does. */
export const emptyCells = (): HTMLElement[] => [cell("who", element("span", { class: "awaited" }))];

const cell = (name: string, content: HTMLElement | string): HTMLElement =>
  element("td", { class: name, attributes: { role: "cell" } }, content);

const weak = (text: string): HTMLElement => element("span", { class: "weak" }, text);

function who(study: StudyRow): HTMLElement {
  const patient = personName(study.patient_name) || worklist.unnamed;
  const href = toAddress({ page: "study", study: study.key, view: DEFAULT_VIEW });
  const label = worklist.open(patient, description(study.description));
  const link = element("a", { attributes: { href, "aria-label": label, tabindex: -1 } }, patient);
  return element(
    "div",
    {},
    element("span", { class: "name" }, link),
    element(
      "span",
      { class: "identity" },
      element("span", { class: "weak numbers" }, study.patient_id),
      study.phantom && phantomBadge(),
    ),
  );
}

function findings(study: StudyRow): HTMLElement {
  return element("ul", {}, ...study.findings.map(finding));
}

function finding(one: FindingSummary): HTMLElement {
  const below = one.reported === false;
  const title = below ? `${one.name}, ${texts.finding.belowOperatingPoint}` : one.name;
  return element(
    "li",
    { class: below ? "below" : "", attributes: { title } },
    element("span", { class: "finding-name" }, one.name),
    element("span", { class: "numbers" }, probability(one.probability)),
    probabilityBar(one.probability, one.operating_point),
  );
}

function state(study: StudyRow): HTMLElement {
  return element(
    "div",
    {},
    element("span", { class: `state ${study.state}` }, worklist.states[study.state]),
    study.flagged &&
      element(
        "span",
        { class: "badge flag", attributes: { title: worklist.flaggedTitle } },
        worklist.flagged,
      ),
  );
}
