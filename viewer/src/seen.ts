/** What is seen, in words, for the trail of events and for flags: enough to draw the picture again. */

import type { Reading } from "./reading";
import { viewRecord } from "./view";

export type Seen = Record<string, string>;

/**
 * What a link would hold, and whether the map is hidden for a moment; which map has come ("" before), which one
 * was subtracted from it, and the evidence of full colour.
 */
export function seenIn({ view, held, explanation, comparison, shown }: Reading): Seen {
  const seen: Seen = { ...viewRecord(view), digest: explanation?.record.digest ?? "" };
  if (held) seen.held = "1";
  if (shown) seen.scale = String(shown.scale);
  if (shown?.difference) seen.other_digest = comparison.other?.record.digest ?? "";
  return seen;
}
