import { describe, expect, it } from "vitest";
import type { Mark } from "../src/marks";
import { drawnRegion, type Flag, viewOfFlag } from "../src/remarks";
import { DEFAULT_VIEW, viewRecord } from "../src/view";

const region = (places: Mark["places"]): Mark => ({ kind: "region", axis: 0, at: 3, places });
const length: Mark = { kind: "length", axis: 0, at: 3, places: [[0, 0], [1, 1]] }; // biome-ignore format: short

describe("the region of a flag", () => {
  it("is the one drawn last, to a tenth of a pixel", () => {
    const marks = [region([[9, 9], [9, 8], [8, 8]]), region([[1.234, 2], [3, 4.56], [5, 6]]), length]; // biome-ignore format: short
    expect(drawnRegion({ ...DEFAULT_VIEW, marks })).toEqual({ axis: 0, at: 3, places: [[1.2, 2], [3, 4.6], [5, 6]] }); // biome-ignore format: short
    expect(drawnRegion({ ...DEFAULT_VIEW, marks: [length] })).toBeNull();
  });

  it("has no more corners than the station takes, from all around", () => {
    const places = Array.from({ length: 901 }, (_, i) => [i, i] as const);
    const drawn = drawnRegion({ ...DEFAULT_VIEW, marks: [region(places)] })?.places ?? [];
    expect(drawn.length).toBeLessThanOrEqual(200);
    expect(drawn.at(-1)?.[0]).toBeGreaterThan(890);
  });
});

describe("the view of a flag", () => {
  const view = { ...DEFAULT_VIEW, finding: 2, map: true, opacity: 35, details: true, marks: [length] };
  const flag = (record: Flag["view"]): Flag => ({ view: record }) as Flag;

  it("comes back, but for the panel, the marks, and the image that is seen anyway", () => {
    const { image: _, explanation: __, marks: ___, details: ____, ...seen } = view;
    expect(viewOfFlag(flag({ viewer: "camlucida", ...viewRecord(view) }))).toEqual(seen);
  });

  it("says how many marks there were, not what they are", () => {
    expect(viewRecord(view).marks).toBe("1");
  });

  it("of another viewer is none that could be shown", () => {
    expect(viewOfFlag(flag({ viewer: "OHIF", opacity: 0.35 }))).toBeNull();
  });
});
