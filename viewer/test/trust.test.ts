import { describe, expect, it } from "vitest";
import { CLASS_AGNOSTIC, NOTABLE, OPPOSING, trustBadge, trustOf } from "../src/trust";
import type { Explanation, FindingTrust } from "../src/types";
import { cases } from "./vectors";

const PLAIN: FindingTrust = {
  residual_share: 0.01, focality: 0.1, border_share: 0.1, statement: "", corner_share: 0.05, outside_share: 0.03,
  causal: null, stability: null, agreement: null, prior: null,
}; // biome-ignore format: short
const CHECKED: Partial<FindingTrust> = {
  causal: { effect: 2.1, z: 5, regions: 24 },
  stability: { worst: 0.8 },
};

function record(trust: Partial<FindingTrust>, map: Partial<Explanation["saliency_map"]> = {}): Explanation {
  return {
    saliency_map: {
      logits: [3], bias: [0], residual: [0.01], evidence_for: [4], evidence_against: [-1], supported: [true],
      method: "grad-cam", unit: "logit", ...map,
    },
    trust: { findings: [{ ...PLAIN, ...trust }] },
  } as unknown as Explanation;
} // biome-ignore format: short

describe("the trust badge", () => {
  it("warns where the trust report of Python warns", () => {
    const [python] = cases<{ notable: object; class_agnostic: string[]; opposing: string[] }>("trust");
    expect(NOTABLE).toEqual(python?.notable);
    expect(CLASS_AGNOSTIC).toEqual(python?.class_agnostic);
    expect(OPPOSING).toEqual(python?.opposing);
  });

  it("is open while the dear checks were not made, and holds when all were passed", () => {
    expect(trustBadge(record({}), 0)?.weight).toBe("open");
    expect(trustBadge(record(CHECKED), 0)?.weight).toBe("holds");
    expect(trustBadge(record({ causal: CHECKED.causal ?? null }), 0)?.weight).toBe("open");
  });

  it.each<[string, Partial<FindingTrust>]>([
    ["Incomplete: 30", { residual_share: 0.3 }],
    ["Causal check failed", { causal: { effect: 0.1, z: 1.9, regions: 24 } }],
    ["Unstable", { stability: { worst: 0.49 } }],
    ["outside the body: look", { outside_share: 0.2 }],
    ["in the corners", { corner_share: 0.25 }],
    ["elsewhere", { agreement: { correlation: 0.1 } }],
  ])("says %s", (words, trust) => {
    const badge = trustBadge(record({ ...CHECKED, ...trust }), 0);
    expect(badge?.weight).toBe("caution");
    expect(badge?.label).toContain(words);
    expect(badge?.title.split("\n").length).toBe(trustOf(record({ ...CHECKED, ...trust }), 0).length + 1);
  });

  it("warns where for and against cancel and what is left is not on the map", () => {
    expect(trustBadge(record(CHECKED, { logits: [0.5], residual: [0.3] }), 0)?.weight).toBe("caution");
  });

  it("speaks of no place where next to nothing argues for the finding", () => {
    for (const map of [{ supported: [false], evidence_for: [0] }, { evidence_for: [0.09] }]) {
      expect(trustBadge(record({ outside_share: 0.9 }, map), 0)).toBeNull();
      expect(trustBadge(record({ residual_share: 0.3 }, map), 0)?.weight).toBe("caution");
    }
  });

  it("makes no causal claim of maps that show what argues against", () => {
    const texts = trustOf(record(CHECKED, { method: "counterfactual grad-cam" }), 0).map(({ text }) => text);
    expect(texts.join(" ")).not.toContain("Causal");
    expect(trustBadge(record(CHECKED, { method: "eigen-cam" }), 0)?.label).toContain("Explains no finding");
  });

  it("says of a map that leaves nothing open that it is complete, and of others how much is", () => {
    expect(trustOf(record({ residual_share: 0 }), 0)[0]?.text).toContain("the whole logit");
    expect(trustOf(record({ residual_share: 0.01 }), 0)[0]?.text).toContain("1\u2009%");
  });

  it("of a map that keeps no record of trust is none", () => {
    expect(trustBadge(record({}), 3)).toBeNull();
  });
});
