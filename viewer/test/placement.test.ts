import { describe, expect, it } from "vitest";
import {
  fitZoom,
  type Orientation,
  type Plane,
  panBy,
  place,
  toCanvas,
  toImage,
  zoomAround,
} from "../src/placement";
import { planeOf } from "../src/plane";

const PLANE: Plane = { rows: 300, columns: 200, aspect: 1.5 };
const SIZE = [640, 480] as const;

describe("placing an image", () => {
  it("at 1:1 puts image pixels on whole screen pixels", () => {
    const placed = place({ rows: 301, columns: 200, aspect: 1 }, { zoom: 1, centre: null }, [641, 480]);
    expect([placed.originX, placed.originY].every(Number.isInteger)).toBe(true);
    const [row, column] = toImage(placed, placed.originX + 0.5, placed.originY + 7.5);
    expect([row, column]).toEqual([7, 0]);
  });

  it("fits the whole image in its true proportion", () => {
    const placed = place(PLANE, { zoom: null, centre: null }, SIZE);
    expect(placed.scaleY).toBeCloseTo(1.5 * placed.scaleX, 12);
    expect(placed.originY).toBeGreaterThanOrEqual(0);
    expect(placed.originY + placed.scaleY * PLANE.rows).toBeLessThanOrEqual(480);
  });

  it("fits linked viewports alike", () => {
    const narrow = place(PLANE, { zoom: null, centre: null }, [300, 480], [300, 480]);
    const wide = place(PLANE, { zoom: null, centre: null }, [301, 480], [300, 480]);
    expect(wide.scaleX).toBe(narrow.scaleX);
  });

  it("takes the proportion of a pixel from the spacing, and 1 where it has none", () => {
    expect(planeOf([40, 300, 200], [8, 0.6, 0.4]).aspect).toBeCloseTo(1.5, 12);
    expect(planeOf([300, 200], [0, 0]).aspect).toBe(1);
    expect(planeOf([300, 200], null)).toEqual({ rows: 300, columns: 200, aspect: 1 });
  });
});

const TURNS = [0, 1, 2, 3] as const;
const ORIENTATIONS: Orientation[] = TURNS.flatMap((turns) =>
  [false, true].map((mirrored) => ({ turns, mirrored })),
);

describe.each(ORIENTATIONS)("turned $turns times, mirrored: $mirrored", (orientation) => {
  const placed = place(PLANE, { zoom: 2, centre: [100, 50] }, SIZE, SIZE, orientation);

  it("comes back from the canvas", () => {
    const [row, column] = toImage(placed, ...toCanvas(placed, 12.25, 181.5));
    expect(row).toBeCloseTo(12.25, 9);
    expect(column).toBeCloseTo(181.5, 9);
  });

  it("keeps its centre in the middle and fits whole", () => {
    const [x, y] = toCanvas(placed, 100, 50);
    expect(Math.hypot(x - 320, y - 240)).toBeLessThan(1);
    const fitted = place(PLANE, { zoom: null, centre: null }, SIZE, SIZE, orientation);
    for (const [row, column] of [
      [-0.5, -0.5],
      [299.5, 199.5],
    ] as const) {
      const [left, top] = toCanvas(fitted, row, column);
      expect(left >= 0 && left <= 640 && top >= 0 && top <= 480).toBe(true);
    }
  });

  it("zooms around the cursor", () => {
    const under = toImage(placed, 111, 222);
    const camera = zoomAround(PLANE, placed, 1.7, 111, 222);
    const [x, y] = toCanvas(place(PLANE, camera, SIZE, SIZE, orientation), ...under);
    expect(Math.hypot(x - 111, y - 222)).toBeLessThan(1);
  });
});

it("a quarter turn clockwise brings the upper edge to the right", () => {
  const placed = place(PLANE, { zoom: 1, centre: null }, SIZE, SIZE, { turns: 1, mirrored: false });
  const [upperX] = toCanvas(placed, 0, 100);
  const [lowerX] = toCanvas(placed, 299, 100);
  expect(upperX).toBeGreaterThan(lowerX);
  const mirrored = place(PLANE, { zoom: 1, centre: null }, SIZE, SIZE, { turns: 0, mirrored: true });
  expect(toCanvas(mirrored, 0, 0)[0]).toBeGreaterThan(toCanvas(mirrored, 0, 199)[0]);
});

describe("moving", () => {
  it("keeps the place under the cursor where it is when zooming", () => {
    const before = place(PLANE, { zoom: 2, centre: [100, 50] }, SIZE);
    const under = toImage(before, 111, 222);
    const after = place(PLANE, zoomAround(PLANE, before, 1.7, 111, 222), SIZE);
    const [row, column] = toImage(after, 111, 222);
    // The origin stands on whole pixels, so half a pixel may be lost.
    expect(Math.abs(row - under[0]) * after.scaleY).toBeLessThanOrEqual(1);
    expect(Math.abs(column - under[1]) * after.scaleX).toBeLessThanOrEqual(1);
  });

  it("moves the image by as many pixels as the hand", () => {
    const before = place(PLANE, { zoom: 2, centre: [100, 50] }, SIZE);
    const after = place(PLANE, panBy(before, 30, -12), SIZE);
    expect([after.originX - before.originX, after.originY - before.originY]).toEqual([30, -12]);
  });

  it("stays within the zooms that make sense", () => {
    const placed = place(PLANE, { zoom: 60, centre: null }, SIZE);
    expect(zoomAround(PLANE, placed, 100, 0, 0).zoom).toBe(64);
    expect(fitZoom({ rows: 1, columns: 1, aspect: 1 }, 4000, 4000)).toBe(64);
  });
});
