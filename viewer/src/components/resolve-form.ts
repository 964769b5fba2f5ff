/** The form that says what came of a flag, and why. */

import { Refused } from "../api";
import { element, fill, write } from "../element";
import { OUTCOMES, type Outcome, type QueuedFlag, resolveFlag } from "../flag-queue";
import { overviewTexts } from "../texts-overviews";

const words = overviewTexts.flags;
const MOST_TEXT = 2000;

/** `done` is called with whether something was kept. */
export function resolveForm(flag: QueuedFlag, done: (kept: boolean) => void): HTMLFormElement {
  const id = (name: string): string => `resolve-${flag.number}-${name}`;
  const outcome = element(
    "select",
    { attributes: { id: id("outcome") }, on: { change: () => follow() } },
    ...OUTCOMES.map((one) => element("option", { attributes: { value: one } }, words.outcomes[one])),
  );
  const which = element("input", { attributes: { id: id("which"), maxlength: 130, required: "" } });
  const whichLabel = element("label", { attributes: { for: id("which") } });
  const whichField = element("div", {}, whichLabel, which);
  const why = element("textarea", {
    attributes: { id: id("why"), rows: 2, maxlength: MOST_TEXT, required: "" },
  });
  const told = element("p", { class: "told", attributes: { role: "status" } });
  const follow = (): void => {
    const needed = { repaired: words.repairedBy, duplicate: words.duplicateOf }[outcome.value as "repaired"];
    whichField.hidden = which.disabled = !needed;
    write(whichLabel, needed ?? "");
  };
  const keep = async (event: Event): Promise<void> => {
    event.preventDefault();
    const chosen = outcome.value as Outcome;
    try {
      await resolveFlag(flag.number, {
        outcome: chosen,
        reason: why.value,
        repaired_by: chosen === "repaired" ? which.value.trim() : null,
        duplicate_of: chosen === "duplicate" ? Number(which.value) || 0 : null,
      });
      done(true);
    } catch (error) {
      if (error instanceof Refused) write(told, words.notKept(error.message));
    }
  };
  const form = element("form", { class: "resolve-form", on: { submit: keep } });
  const cancel = { attributes: { type: "button" }, on: { click: () => done(false) } };
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") done(false);
  });
  fill(
    form,
    labelled(words.outcome, outcome),
    whichField,
    labelled(words.why, why),
    element(
      "div",
      { class: "resolve-foot" },
      element("button", { attributes: { type: "submit" } }, words.keep),
      element("button", cancel, words.cancel),
    ),
    told,
  );
  follow();
  return form;
}

const labelled = (label: string, field: HTMLElement): HTMLElement =>
  element("div", {}, element("label", { attributes: { for: field.id } }, label), field);
