/** Marks as lines over the image, with what they measure written beside them. */

import { number, percent, signed } from "./format";
import type { Mark } from "./marks";
import type { Reading } from "./reading";
import { cellDepth, type Held, heldBy, length, type Measure, regionArea } from "./region";
import { texts } from "./texts";
import { onScreen, type Scene, svg } from "./vector-layer";

/** Half the bar at the end of a length, in CSS pixels. */
const TICK = 5;
const LINE_HEIGHT = 15;
/** Room that words want beside a mark. */
const WIDTH = 270;

export function marks(scene: Scene): SVGElement[] {
  const { reading, cut } = scene;
  const all = reading.draft ? [...reading.view.marks, reading.draft] : reading.view.marks;
  const here = all.filter(({ axis, at }) => axis === cut.axis && at === cut.at);
  const drawn = here.map((mark) => (mark.kind === "length" ? drawnLength : drawnRegion)(scene, mark));
  return [...drawn.flat(), ...hint(scene)];
}

/** How the tool in hand is used, at the lower edge. */
function hint({ reading, placement, density }: Scene): SVGElement[] {
  if (!reading.tool || reading.draft) return [];
  const [x, y] = [placement.width / density / 2, placement.height / density - 14];
  const text = svg("text", { class: "mark-words", x, y, "text-anchor": "middle" });
  text.textContent = texts.marks.hint[reading.tool];
  return [text];
}

function drawnLength(scene: Scene, mark: Mark): SVGElement[] {
  const [from, to] = mark.places.map(([row, column]) => onScreen(scene, row, column));
  if (!from || !to) return [];
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const long = Math.hypot(dx, dy) || 1;
  const [x, y] = [(-dy / long) * TICK, (dx / long) * TICK];
  const bar = ([atX, atY]: [number, number]): string => `M${atX - x} ${atY - y}L${atX + x} ${atY + y}`;
  const d = `M${from.join(" ")}L${to.join(" ")}${bar(from)}${bar(to)}`;
  return [...line(d), written(scene, to, [measured(length(scene.reading, mark))])];
}

function drawnRegion(scene: Scene, mark: Mark): SVGElement[] {
  const corners = mark.places.map(([row, column]) => onScreen(scene, row, column));
  const d = `M${corners.map((corner) => corner.join(" ")).join("L")}Z`;
  const rightmost = corners.reduce((best, corner) => (corner[0] > best[0] ? corner : best), [0, 0]);
  return [...line(d), written(scene, rightmost, regionLines(scene, mark))];
}

/** The line, and a dark edge that keeps it visible on bright ground. */
const line = (d: string): SVGElement[] => [
  svg("path", { class: "halo", d }),
  svg("path", { class: "mark", d }),
];

/** Lines of words beside a place, inside the viewport. */
function written(
  { placement, density }: Scene,
  [x, y]: readonly [number, number],
  words: string[],
): SVGElement {
  const [width, height] = [placement.width / density, placement.height / density];
  const left = x > width - WIDTH;
  const lowest = height - LINE_HEIGHT * words.length;
  const top = Math.min(Math.max(y, LINE_HEIGHT), lowest);
  const text = svg("text", { class: "mark-words", "text-anchor": left ? "end" : "start" });
  words.forEach((word, i) => {
    const at = { x: left ? x - 10 : x + 10, y: top + 4 + i * LINE_HEIGHT };
    const span = svg("tspan", at);
    span.textContent = word;
    text.append(span);
  });
  return text;
}

const measured = ({ value, mm }: Measure): string =>
  `${number(value, 4)}\u2009${mm ? texts.units.mm : texts.units.pixels}`;

const squared = ({ value, mm }: Measure): string =>
  `${number(value, 3)}\u2009${mm ? texts.units.mm : texts.units.pixels}²`;

/** Of evidence only where the map is seen: what is read is what is shown. */
function regionLines({ reading, withMap }: Scene, mark: Mark): string[] {
  const size = squared(regionArea(reading, mark));
  const held = withMap && reading.mapShown ? evidenceIn(reading, mark) : null;
  if (!held) return [size];
  const { marks: words } = texts;
  if (held.cells === 0) return [words.noCell, size];
  const geometry = reading.explanation?.record.saliency_map.geometry;
  const depth = geometry && cellDepth(geometry, mark);
  return [
    ...evidenceLines(reading, held),
    words.cells(held.cells, held.ofCells),
    ...(depth ? [words.depth(measured(depth))] : []),
    size,
  ];
}

function evidenceLines(reading: Reading, held: Held): string[] {
  const { marks: words } = texts;
  const share = held.ofFor > 0 ? percent(held.evidenceFor / held.ofFor) : percent(0);
  if (reading.explanation?.record.saliency_map.unit === "relative") return [words.relative(share)];
  if (reading.shown?.difference) return [words.difference(signed(held.evidenceFor + held.evidenceAgainst))];
  return [
    words.evidenceFor(signed(held.evidenceFor), signed(held.ofFor), share),
    words.evidenceAgainst(signed(held.evidenceAgainst), signed(held.ofAgainst)),
  ];
}

/** Kept for as long as the mark is: the sums do not change while the image moves. */
const sums = new WeakMap<Mark, { map: Float32Array; held: Held }>();

function evidenceIn(reading: Reading, mark: Mark): Held | null {
  const map = reading.shown?.values;
  const geometry = reading.explanation?.record.saliency_map.geometry;
  if (!map || !geometry) return null;
  const before = sums.get(mark);
  if (before?.map === map) return before.held;
  const held = heldBy(map, geometry, mark);
  sums.set(mark, { map, held });
  return held;
}
