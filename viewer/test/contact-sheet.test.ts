import { describe, expect, it } from "vitest";
import {
  average,
  coloured,
  type MapPlane,
  ordered,
  type SheetMap,
  spread,
  thumbnail,
} from "../src/contact-sheet";

const base64 = (values: number[]): string =>
  btoa(String.fromCharCode(...new Uint8Array(new Float32Array(values).buffer)));

const plane = (
  values: number[],
  rest: Partial<MapPlane> = {},
  unit: "logit" | "relative" = "logit",
  trust: object = {},
): MapPlane =>
  ({
    finding: 0,
    scale: 0.5,
    record: {
      saliency_map: {
        unit,
        method: "",
        supported: [true],
        evidence_for: [1],
        residual: [0],
        logits: [1],
        bias: [0],
      },
      trust: { findings: [{ residual_share: 0, ...trust }] },
    },
    slice: null,
    pixels: [40, 20],
    shape: [2, 1],
    values: base64(values),
    cell_to_pixel: [
      [20, 0, 9.5],
      [0, 20, 9.5],
      [0, 0, 1],
    ],
    ...rest,
  }) as unknown as MapPlane;

const of = (map: MapPlane | null, rest: Partial<SheetMap> = {}): SheetMap => ({
  study: "",
  image: "a1",
  explanation: "",
  modality: "DX",
  view_position: "",
  phantom: false,
  probability: 0.5,
  operating_point: null,
  reported: null,
  flags: 0,
  map,
  ...rest,
});

describe("a map, drawn small", () => {
  it("has each cell's value at its centre, and edges are held", () => {
    expect([...spread(plane([1, -3]), 2, 1)]).toEqual([1, -3]);
    expect([...spread(plane([3, -5]), 4, 1)].map(Math.round)).toEqual([3, 1, -3, -5]);
  });

  it("is nothing outside the field that the network saw", () => {
    const cropped = plane([1, 1], {
      cell_to_pixel: [
        [10, 0, 14.5],
        [0, 20, 9.5],
        [0, 0, 1],
      ],
    });
    expect([...spread(cropped, 4, 1)]).toEqual([0, 1, 1, 0]);
  });

  it("follows a flipped axis", () => {
    const flipped = plane([1, -3], {
      cell_to_pixel: [
        [-20, 0, 29.5],
        [0, 20, 9.5],
        [0, 0, 1],
      ],
    });
    expect([...spread(flipped, 2, 1)]).toEqual([-3, 1]);
  });

  it("is as transparent as its evidence is weak", () => {
    const alphas = coloured(Float32Array.of(-1, 0, 0.25, 0.5, 9), 0.5, 0.6, "inferno").filter(
      (_, i) => i % 4 === 3,
    );
    expect([...alphas]).toEqual([0, 0, 77, 153, 153]);
  });
});

describe("the mean of maps", () => {
  it("is in logits where they are", () => {
    expect([...average([plane([1, -3]), plane([3, 1])], 2)]).toEqual([2, 2, -1, -1]);
  });

  it("is of shares of their own scale where they have no unit", () => {
    const relative = [plane([2, 0], { scale: 2 }, "relative"), plane([0, 8], { scale: 8 }, "relative")];
    expect([...average(relative, 2)]).toEqual([0.5, 0.5, 0.5, 0.5]);
  });
});

describe("maps in an order", () => {
  const maps = [
    of(plane([0, 0], {}, "logit", { outside_share: 0.1, stability: { worst: 0.9 } }), {
      image: "a",
      probability: 0.2,
      flags: 1,
    }),
    of(plane([0, 0], {}, "logit", { outside_share: 0.4, stability: { worst: 0.3 } }), {
      image: "b",
      probability: 0.9,
    }),
    of(null, { image: "c", probability: 0.5 }),
  ];
  const images = (by: Parameters<typeof ordered>[1]): string =>
    ordered(maps, by)
      .map(({ image }) => image)
      .join("");

  it("begin with what is to be looked at first; those without the number come last", () => {
    expect(images("taken")).toBe("abc");
    expect(images("probability")).toBe("bca");
    expect(images("outside")).toBe("bac");
    expect(images("trust")).toBe("bac");
    expect(images("stability")).toBe("bac");
    expect(images("flags")).toBe("abc");
  });
});

it("a thumbnail of a volume is that of the map's slice", () => {
  expect(thumbnail(of(null))).toBe("/api/images/a1/thumbnail");
  expect(thumbnail(of(plane([], { slice: 7 })))).toBe("/api/images/a1/thumbnail?slice=7");
});
