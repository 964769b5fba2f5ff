/** What is printed: the viewports as they are seen, their legend, and how far the map can be trusted. */

import { element } from "../element";
import { card } from "../finding-lines";
import { pictureWords } from "../picture-words";
import type { Reading } from "../reading";
import { texts } from "../texts";
import { trustOf } from "../trust";
import { provenanceLines, trustSentences } from "../trust-lines";
import type { Stage } from "./stage";
import { trustList } from "./trust-badge";
import type { Viewport } from "./viewport";

/** What is seen on paper only. */
export function paper(reading: Reading, stage: Stage): HTMLElement {
  const words = pictureWords(reading, stage.legend?.words ?? []).map(({ text, kind, ramp }) =>
    element("div", { class: `paper-${kind}` }, text, ramp && colours(stage)),
  );
  return element(
    "article",
    { class: "paper" },
    element("div", { class: "paper-views" }, ...stage.viewports.map((one) => view(one, stage))),
    element("aside", {}, ...words),
    ...more(reading),
  );
}

/** A viewport at its place in the stage, in shares of it. */
function view(viewport: Viewport, stage: Stage): HTMLElement {
  const [all, mine] = [stage.getBoundingClientRect(), viewport.getBoundingClientRect()];
  const drawn = viewport.vectors.cloneNode(true) as SVGSVGElement;
  drawn.setAttribute("viewBox", `0 0 ${mine.width} ${mine.height}`);
  const parts = viewport.vectors.querySelectorAll(".of-map");
  drawn.querySelectorAll<SVGElement>(".of-map").forEach((part, i) => {
    part.style.clipPath = getComputedStyle(parts[i] as Element).clipPath;
  });
  const words = viewport.corners.map((corner) => corner.textContent).filter(Boolean);
  const made = element("figure", {}, viewport.pixels(), element("figcaption", {}, words.join("\n")));
  made.append(drawn);
  made.style.width = `${(100 * mine.width) / all.width}%`;
  return made;
}

/** The colours with their numbers, as they are on the screen. */
function colours({ legend }: Stage): HTMLElement | null {
  if (!legend) return null;
  const bar = element("canvas", { attributes: { width: legend.bar.width, height: legend.bar.height } });
  bar.getContext("2d")?.drawImage(legend.bar, 0, 0);
  const ticks = legend.ticks.map((tick) => element("span", {}, tick.textContent));
  return element("div", { class: "ramp" }, bar, element("div", { class: "ticks" }, ...ticks));
}

/** Below the picture: the finding in numbers, trust and provenance. */
function more({ explanation, view, mapShown }: Reading): HTMLElement[] {
  if (!explanation || view.finding === null || !mapShown) return [];
  const { record } = explanation;
  const { details } = texts;
  const pairs = provenanceLines(record).flatMap(([name, value, title]) => [
    element("dt", {}, name),
    element("dd", {}, title ?? value),
  ]);
  return [
    element("section", {}, ...card(record, view.finding)),
    element(
      "section",
      {},
      element("h2", {}, details.trust),
      trustList(trustOf(record, view.finding)),
      ...trustSentences(record).map((sentence) => element("p", {}, sentence)),
      element("dl", {}, ...pairs),
    ),
  ];
}
