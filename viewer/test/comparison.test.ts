import { describe, expect, it, vi } from "vitest";
import { agreement } from "../src/agreement";
import { Comparison } from "../src/comparison";
import { difference, hindranceOf } from "../src/difference";
import { laidOver } from "../src/laid-over";
import type { Reading } from "../src/reading";
import type { Explanation, Geometry } from "../src/types";

/** A grid stretched over a pixel grid. */
function stretched(native: number[], pixels: number[]): Geometry {
  const matrix = native.map((size, axis) => {
    const scale = (pixels[axis] ?? 1) / size;
    return [...native.map((_, i) => (i === axis ? scale : 0)), scale / 2 - 0.5];
  });
  matrix.push([...native.map(() => 0), 1]);
  const spacing = { spacing: null, pixel_to_patient: null };
  return { native_shape: native, pixel_shape: pixels, native_to_pixel: matrix, ...spacing };
}

function record(geometry: Geometry, changes: Record<string, unknown> = {}): Explanation {
  const { scales = [0.5], unit = "logit", ...provenance } = changes;
  return {
    saliency_map: { findings: ["Nodule"], unit, geometry },
    provenance: {
      model_name: "films",
      model_digest: "a",
      method: "grad-cam",
      method_variant: "",
      target_layer: "features",
      ...provenance,
    },
    scales,
  } as unknown as Explanation;
}

const small = stretched([2, 2], [40, 30]);

describe("one map on another's grid", () => {
  it("is the same map where the images have other sizes, as shares of them correspond", () => {
    const values = Float32Array.from([1, 2, 3, 4]);
    expect([...laidOver(values, small, stretched([2, 2], [100, 500]))]).toEqual([1, 2, 3, 4]);
  });

  it("is interpolated between its own cells, and held at its edges", () => {
    const laid = laidOver(Float32Array.from([0, 4]), stretched([1, 2], [8, 8]), stretched([1, 4], [8, 8]));
    expect([...laid]).toEqual([0, 1, 3, 4]);
  });

  it("follows each image's own way to its grid, also in volumes", () => {
    const from = stretched([2, 2, 2], [10, 20, 30]);
    const flipped: Geometry = {
      ...from,
      native_to_pixel: from.native_to_pixel.map((row, axis) => (axis === 0 ? [-5, 0, 0, 7] : row)),
    };
    const values = Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...laidOver(values, from, flipped)]).toEqual([5, 6, 7, 8, 1, 2, 3, 4]);
  });
});

describe("a difference", () => {
  it("is this map less the other one, cell by cell", () => {
    const one = record(small);
    const values = difference(
      [one, Float32Array.from([1, 2, 3, 4])],
      [record(stretched([2, 2], [80, 60])), Float32Array.from([1, 1, 4, 4])],
    );
    expect([...values]).toEqual([0, 1, -1, 0]);
  });

  it("is hindered by what makes logits another thing, and by nothing else", () => {
    const own = record(small);
    const hindered = (changes: Record<string, unknown>, sameImage = false): string | null =>
      hindranceOf(own, record(small, changes), 0, sameImage);
    expect(hindered({})).toBeNull();
    expect(hindered({ model_name: "other", model_digest: "b" })).toBe("model");
    expect(hindered({ model_digest: "b" })).toBe("version");
    expect(hindered({ method: "hirescam" })).toBe("method");
    expect(hindered({ method: "hirescam" }, true)).toBeNull();
    expect(hindered({ target_layer: "deeper" })).toBe("layer");
    expect(hindered({ unit: "relative" })).toBe("unit");
    expect(hindered({ scales: [0.3] })).toBe("scale");
    const another = record(small);
    another.saliency_map.findings = ["Effusion"];
    expect(hindranceOf(own, another, 0, false)).toBe("finding");
  });
});

describe("disagreement", () => {
  const map = (values: number[], geometry = small, opposing = false) => ({
    values: Float32Array.from(values),
    geometry,
    opposing,
  });

  it("is where both maps have a sign, and another one", () => {
    const found = agreement(map([1, -1, 0.5, 0]), map([1, 1, -0.6, -1]));
    expect([...found.differing]).toEqual([0, 1, 1, 0]);
    expect([found.differ, found.counted]).toEqual([2, 3]);
  });

  it("leaves out what is next to nothing beside the map's largest value", () => {
    const found = agreement(map([1, -0.04, 1, 1]), map([1, 1, 1, 1]));
    expect([found.differ, found.counted]).toEqual([0, 3]);
  });

  it("is counted on the coarser grid, into which the finer map is summed", () => {
    const fine = map([3, -1, -1, -1, 3, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1], stretched([4, 4], [40, 30]));
    const found = agreement(fine, map([1, 1, 1, 1]));
    expect(found.geometry.native_shape).toEqual([2, 2]);
    expect([...found.differing]).toEqual([0, 1, 0, 0]);
  });

  it("turns a method round that shows what argues against", () => {
    expect(agreement(map([1, 1, 1, 1]), map([-1, -1, -1, -1], small, true)).differ).toBe(0);
  });

  it("takes cells together where hatching would be finer than can be seen", () => {
    const pixels = stretched([96, 96], [960, 960]);
    const found = agreement(map(Array(96 * 96).fill(1), pixels), map(Array(96 * 96).fill(-1), pixels));
    expect(found.geometry.native_shape).toEqual([48, 48]);
    expect(found.geometry.native_to_pixel[0]).toEqual([20, 0, 9.5]);
    expect(found.differ).toBe(48 * 48);
  });
});

describe("the list of priors", () => {
  it("is asked for once, not again and again, when the station fails; and then it is not empty", async () => {
    const priors = vi.fn().mockRejectedValueOnce(new Error("500")).mockResolvedValueOnce([]);
    const reading = Object.assign(new EventTarget(), {
      view: { difference: true, disagreement: false, other: null, finding: 0 },
      explanationRow: { key: "a", state: "explained" },
      source: { priors },
    });
    const comparison = new Comparison(reading as unknown as Reading, new AbortController().signal);
    reading.addEventListener("data", () => comparison.findPriors()); // as the open details do
    comparison.follow();
    await vi.waitFor(() => expect(comparison.priorsError).toBeInstanceOf(Error));
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    expect(priors).toHaveBeenCalledTimes(1);
    expect(comparison.priors).toBeNull();
    comparison.retry();
    await vi.waitFor(() => expect(comparison.priors).toEqual([]));
    expect(comparison.priorsError).toBeNull();
    expect(priors).toHaveBeenCalledTimes(2);
  });
});
