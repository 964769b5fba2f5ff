/** A slab of a volume's evidence: the strongest within some mm around the plane is seen at once. */

import type { Axis } from "./plane";
import type { Reading } from "./reading";

/** How thick slabs are, in mm; 0 is the plane alone. */
export const SLABS = [0, 10, 20, 40, 80, 160] as const;

/** The next thicker slab, or the next thinner one; the thickest is followed by none. */
export function stepSlab(reading: Reading, by: 1 | -1): void {
  const { slab } = reading.view;
  const next = by > 0 ? SLABS.find((mm) => mm > slab) : SLABS.filter((mm) => mm < slab).at(-1);
  reading.change({ slab: next ?? 0 });
}

/** Whether the image has slabs: planes whose distance is known in mm. */
export function hasSlabs(reading: Reading): boolean {
  return reading.slices > 1 && (reading.image?.header.spacing?.every((mm) => mm > 0) ?? false);
}

export function slabShown(reading: Reading): boolean {
  return reading.mapShown && reading.view.slab > 0 && hasSlabs(reading);
}

/** How far the slab reaches to either side of a plane, in voxels along its axis. */
export function halfSlab({ view, image }: Reading, axis: Axis): number {
  return view.slab / 2 / (image?.header.spacing?.[axis] ?? 1);
}
