import { expect, it } from "vitest";
import { runs } from "../src/frames";
import type { ImageRow } from "../src/types";

const row = (frame_number: number | null, series_description = "Cine", space = [6, 8]): ImageRow =>
  ({ frame_number, series_description, space }) as ImageRow;

it("frames of one object stand together, everything else alone", () => {
  const images = [
    row(null),
    row(1),
    row(2),
    row(3),
    row(1),
    row(2),
    row(1, "Other"),
    row(2, "Other", [9, 9]),
  ];
  const found = runs(images).map((run) => run.map(({ frame_number }) => frame_number));
  expect(found).toEqual([[null], [1, 2, 3], [1, 2], [1], [2]]);
});
