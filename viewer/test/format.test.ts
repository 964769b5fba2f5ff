import { describe, expect, it } from "vitest";
import {
  date,
  description,
  moment,
  number,
  percent,
  personName,
  probability,
  signed,
  withSign,
} from "../src/format";

const plain = (text: string): string => text.replaceAll("\u2009", " "); // thin spaces

describe("numbers", () => {
  it.each([[0, "0"], [1234.5, "1235"], [0.25, "0.25"], [-0.5, "−0.5"], [0.0133, "0.0133"], [2e-6, "2e−6"],
    [100, "100"], [Number.NaN, "–"]])("%d is %s", (value, text) => {
    expect(number(value)).toBe(text);
  }); // biome-ignore format: a table

  it.each([
    [0, "0"],
    [1.234, "+1.23"],
    [-4.456, "−4.46"],
    [0.001, "< +0.01"],
    [-0.001, "> −0.01"],
  ])("a logit of %d is %s", (value, text) => {
    expect(plain(signed(value))).toBe(text);
  });

  it("of a cell have a sign", () => {
    expect([withSign(0.127), withSign(-0.5), withSign(0)]).toEqual(["+0.13", "−0.5", "0"]);
  });

  it.each([
    [0, "< 1 %"],
    [0.001, "< 1 %"],
    [0.94, "94 %"],
    [0.9999, "> 99 %"],
    [1, "> 99 %"],
  ])("a probability of %d is %s", (value, text) => {
    expect(plain(probability(value))).toBe(text);
  });

  it("of a share or a zoom are whole percents", () => {
    expect([0, 1, 2.09].map((share) => plain(percent(share)))).toEqual(["0 %", "100 %", "209 %"]);
  });
});

describe("words of DICOM", () => {
  it("are read as people write them", () => {
    expect(personName("Doe^Jane^M^Dr=x=y")).toBe("Doe, Jane M");
    expect(personName("Phantom")).toBe("Phantom");
    expect(personName("")).toBe("");
    expect(description("Thorax^Routine (Adult)")).toBe("Thorax Routine (Adult)");
    expect(date("20260105")).toBe("2026-01-05");
    expect(date("")).toBe("");
    expect(moment("2026-01-05T10:12:33.1+00:00")).toBe("2026-01-05 10:12 UTC");
  });
});
