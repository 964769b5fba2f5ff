import { describe, expect, it } from "vitest";
import { blend, COLOUR_MAPS, type ColourMap, colourIndex, colourTable, strength } from "../src/colour";
import { cases } from "./vectors";

interface Tables {
  entries: { colour_map: ColourMap; index: number; rgb: number[] }[];
  picked: { colour_map: ColourMap; scale: number; value: number; index: number }[];
}

interface Blending {
  colour_map: ColourMap;
  opacity: number;
  scale: number;
  value: number;
  image: number[];
  alpha: number;
  rgb: number[];
}

describe("colours equal Python's", () => {
  const [tables] = cases<Tables>("colour_maps") as [Tables];

  it.each(tables.entries)("$colour_map[$index]", ({ colour_map, index, rgb }) => {
    expect([...colourTable(colour_map).subarray(3 * index, 3 * index + 3)]).toEqual(rgb);
  });

  it.each(tables.picked)("$colour_map picks $index for $value of $scale", (one) => {
    const { colour_map: name, scale, value, index } = one;
    expect(colourIndex(strength(value, scale, name), name)).toBe(index);
  });

  it("has 256 entries in every map", () => {
    for (const name of COLOUR_MAPS) expect(colourTable(name)).toHaveLength(768);
  });
});

describe("blending equals Python's within a level", () => {
  it.each(cases<Blending>("blending"))("$colour_map $value of $scale at $opacity over $image", (one) => {
    const mixed = blend(one.image, one.value, one.scale, one.opacity, one.colour_map);
    expect(mixed.alpha).toBeCloseTo(one.alpha, 12);
    one.rgb.forEach((level, i) => {
      expect(Math.abs((mixed.rgb[i] as number) - level)).toBeLessThanOrEqual(1);
    });
  });
});
