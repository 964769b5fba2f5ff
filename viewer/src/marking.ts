/** Drawing marks: which tool is in hand, what is being drawn, what is kept. */

import { area, simplified } from "./contour";
import { type Mark, MOST_CORNERS, MOST_MARKS, type Place } from "./marks";
import type { Cut } from "./plane";
import type { Reading } from "./reading";

/** Takes a tool in hand, or puts it away. */
export function takeTool(reading: Reading, tool: Mark["kind"] | null): void {
  reading.tool = tool === reading.tool ? null : tool;
  reading.draft = null;
  reading.pen = null;
  reading.change({});
}

/** Begins a mark on a plane, or continues it: a length has two ends, a region grows by corners. */
export function drawTo(reading: Reading, { axis, at }: Cut, place: Place): void {
  const { tool: kind, draft } = reading;
  if (!kind) return;
  const places = draft ? (kind === "length" ? draft.places.slice(0, 1) : draft.places) : [];
  reading.draft = { kind, axis, at, places: [...places, place] };
  reading.change({});
}

/** Keeps what was drawn if it is anything; `tolerance` is how far, in pixels, a region's line may be off. */
export function finish(reading: Reading, tolerance: number): void {
  const { draft } = reading;
  reading.draft = null;
  const mark = draft && kept(draft, tolerance);
  reading.change(mark ? { marks: [...reading.view.marks, mark].slice(-MOST_MARKS) } : {});
}

function kept(draft: Mark, tolerance: number): Mark | null {
  const [first, last] = [draft.places[0], draft.places.at(-1)];
  if (!first || !last) return null;
  if (draft.kind === "length")
    return draft.places.length === 2 && distance(first, last) > 2 * tolerance ? draft : null;
  const places = withFewCorners([...draft.places, first], tolerance).slice(0, -1);
  return places.length >= 3 && area([...places, first]) > tolerance * tolerance ? { ...draft, places } : null;
}

const distance = (a: Place, b: Place): number => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** As many as a link holds. */
function withFewCorners(line: readonly Place[], tolerance: number): Place[] {
  const fewer = simplified(line, tolerance);
  return fewer.length - 1 > MOST_CORNERS ? withFewCorners(line, 2 * tolerance) : fewer;
}

/** Takes away what was drawn last. */
export function takeBack(reading: Reading): void {
  if (reading.draft) reading.draft = null;
  reading.change({ marks: reading.view.marks.slice(0, -1) });
}
