/** Drawing without a mouse: with a tool in hand the arrows move a cross, and Enter sets an end or a corner. */

import type { Desk } from "./keys";
import { drawTo, finish, takeTool } from "./marking";
import type { Place } from "./marks";
import { type Placement, toCanvas, toImage } from "./placement";
import { onScreen, type Scene, svg } from "./vector-layer";

/** Screen pixels per press, and with Shift. */
const STEP = 10;
const SMALL_STEP = 1;
/** Half the cross, in CSS pixels. */
const ARM = 7;

type Act = (desk: Desk) => void;

/** What keys mean while a tool is in hand, by `KeyboardEvent.key` in lower case. */
export const PEN_KEYS: ReadonlyMap<string, Act> = new Map<string, Act>([
  ...arrows("", STEP),
  ...arrows("shift ", SMALL_STEP),
  ["enter", set],
  ["g", close],
  ["escape", away],
]);

function arrows(prefix: string, step: number): [string, Act][] {
  return [
    [`${prefix}arrowleft`, (desk) => move(desk, -step, 0)],
    [`${prefix}arrowright`, (desk) => move(desk, step, 0)],
    [`${prefix}arrowup`, (desk) => move(desk, 0, -step)],
    [`${prefix}arrowdown`, (desk) => move(desk, 0, step)],
  ];
}

/** Where the cross is: in the middle at first. */
function penAt({ reading }: Desk, placement: Placement): Place {
  return reading.pen ?? toImage(placement, placement.width / 2, placement.height / 2);
}

function move(desk: Desk, dx: number, dy: number): void {
  const { reading } = desk;
  const { placement, cut } = desk.active() ?? {};
  if (!placement || !cut) return;
  const [x, y] = toCanvas(placement, ...penAt(desk, placement));
  reading.pen = toImage(placement, x + dx, y + dy);
  if (reading.tool === "length" && reading.draft) drawTo(reading, cut, reading.pen);
  else reading.change({});
}

function set(desk: Desk): void {
  const { reading } = desk;
  const { placement, cut } = desk.active() ?? {};
  if (!placement || !cut) return;
  const second = reading.tool === "length" && reading.draft !== null;
  reading.pen = penAt(desk, placement);
  drawTo(reading, cut, reading.pen);
  if (second) finish(reading, 1 / placement.scaleX);
}

/** Closes a region; without one it is the key of the tool. */
function close(desk: Desk): void {
  const { reading } = desk;
  const placement = desk.active()?.placement;
  if (reading.tool === "region" && reading.draft && placement) finish(reading, 1 / placement.scaleX);
  else takeTool(reading, "region");
}

/** Drops what is being drawn, else puts the tool away. */
function away({ reading }: Desk): void {
  if (reading.draft) {
    reading.draft = null;
    reading.change({});
  } else takeTool(reading, null);
}

/** The cross, once the arrows have moved it. */
export function cross(scene: Scene): SVGElement[] {
  const { tool, pen } = scene.reading;
  if (!tool || !pen) return [];
  const [x, y] = onScreen(scene, ...pen);
  const d = `M${x - ARM} ${y}H${x + ARM}M${x} ${y - ARM}V${y + ARM}`;
  return [svg("path", { class: "halo", d }), svg("path", { class: "mark", d })];
}
