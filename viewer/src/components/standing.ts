/** How the station stands: what it needs, who computes, room on the disk, versions. Part of the page of jobs. */

import { element } from "../element";
import { bytes, moment } from "../format";
import type { Check, Status } from "../overviews";
import { overviewTexts } from "../texts-overviews";
import { facts, section, table } from "./table";

const words = overviewTexts.standing;

/** What is wrong, one line each: for the top of the page. */
export function wrong(status: Status): HTMLElement | false {
  const lines = status.checks.filter(({ ok }) => !ok);
  if (lines.length === 0) return false;
  return element("div", { attributes: { role: "alert" } }, ...lines.map(inWords));
}

export function standing(status: Status): HTMLElement {
  const { disk, workers, kept, versions, restarts } = status;
  const again = Object.values(restarts).reduce((sum, number) => sum + number, 0);
  return section(
    words.title,
    null,
    element("ul", { class: "checks" }, ...status.checks.map(checked)),
    room(disk),
    facts([
      ...Object.entries(kept).map(([kind, size]) => [words.kept[kind] ?? kind, bytes(size)] as const),
      [words.restarts, again > 0 && String(again)],
      [words.versions, Object.entries(versions).flat().join(" ")],
    ]),
    workers.length > 0 && table(COLUMNS, workers.map(worker)),
  );
}

const COLUMNS = [
  { name: words.worker },
  { name: words.lanes },
  { name: words.started, numbers: true },
  { name: words.state },
];

function worker({ name, lanes, lives, started, ended }: Status["workers"][number]) {
  return [name, lanes, moment(started), ended || (lives ? words.lives : words.silent)];
}

const inWords = ({ name, told }: Check): HTMLElement =>
  element("p", { class: "told" }, `${words.checks[name] ?? name}: ${told}`);

function checked({ name, ok, told }: Check): HTMLElement {
  return element(
    "li",
    { class: ok ? "" : "urgent" },
    element("span", { class: "mark", attributes: { "aria-hidden": "true" } }, ok ? "✓" : "!"),
    element("span", {}, words.checks[name] ?? name),
    element("span", { class: "weak" }, told),
  );
}

/** How full the disk is. */
function room({ free, total }: Status["disk"]): HTMLElement {
  const bar = element("span", {});
  bar.style.width = `${(100 * (total - free)) / total}%`;
  const told = words.room(bytes(free), bytes(total));
  return element(
    "figure",
    { class: "room" },
    element("div", { attributes: { "aria-hidden": "true" } }, bar),
    element("figcaption", {}, told),
  );
}
