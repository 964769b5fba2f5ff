import { describe, expect, it } from "vitest";
import { DEFAULT_VIEW, fromAddress, type Place, toAddress, type View, WORKLIST } from "../src/view";

const study = (view: Partial<View>): Place => ({
  page: "study",
  study: "a1b2",
  view: { ...DEFAULT_VIEW, ...view },
});

const PLACES: Place[] = [
  WORKLIST,
  { page: "worklist", query: "finding=Nodule&sort=-date" },
  { page: "sheet", query: "finding=Nodule" },
  { page: "jobs", query: "" },
  { page: "models", model: null },
  { page: "models", model: "phantom-radiograph@1.0.0+b2" },
  study({}),
  study({ image: "ff00", explanation: "0a", finding: 0, map: true }),
  study({ layout: "side", cells: true, details: true, opacity: 0, colourMap: "viridis", slice: 12 }),
  study({ layout: "planes", slice: 3, row: 200, column: 17, slab: 12.5, contours: true }),
  study({ layout: "swipe", swipe: 0, other: "0b", difference: true, disagreement: true, ownScale: true }),
  study({ inverted: true, mirrored: true, turns: 3 }),
  study({
    marks: [
      { kind: "length", axis: 0, at: 12, places: [[-0.5, 20], [30.3, 40]] },
      { kind: "region", axis: 2, at: 0, places: [[1, 2], [3, 4], [5, 6]] },
    ],
  }), // biome-ignore format: a table
  study({ window: 2, zoom: 1.5, centre: [-3.5, 1204.25] }),
  study({ window: { center: -600, width: 1500, function: "SIGMOID", explanation: "" } }),
];

describe("a link", () => {
  it.each(PLACES.map((place) => [toAddress(place), place] as const))("%s comes back", (address, place) => {
    expect(fromAddress(address)).toEqual(place);
  });

  it("of a study as it opens holds its key alone", () => {
    expect(toAddress(study({}))).toBe("#/study/a1b2");
  });

  it.each(["", "#", "#/", "#/study/", "#/study/a%20b", "#/other/a1"])(
    "%j leads to the worklist",
    (address) => {
      expect(fromAddress(address)).toEqual(WORKLIST);
    },
  );

  it.each([
    "finding=-1", "finding=x", "opacity=101", "opacity=", "zoom=0", "zoom=1e9", "centre=1", "centre=a,b",
    "window=1,0,LINEAR", "window=1,2,CUBIC", "colours=rainbow", "image=../x", "map=yes", "slice=1.5",
    "layout=four", "turns=4", "swipe=101", "slab=-1", "marks=x", "marks=l0@1:2", "marks=r0@1:1,2_3,4",
    "marks=l3@1:1,2_3,4", "marks=l0@1:1,2_3,NaN",
  ])("with %s keeps the default there", (query) => {
    expect(fromAddress(`#/study/a1b2?${query}`)).toEqual(study({}));
  }); // biome-ignore format: a table
});
