import { describe, expect, it } from "vitest";
import { ALL_STUDIES, fromQuery, isFiltered, sortedBy, toQuery } from "../src/study-search";

describe("the worklist's address", () => {
  it("holds every filter and the order, and nothing for all studies", () => {
    const search = {
      ...ALL_STUDIES,
      finding: "Pleural effusion",
      probability: 0.25,
      reported: true,
      flagged: true,
      first_date: "20250101",
      last_date: "20251231",
      state: "failed",
      modality: "CT",
      sort: "patient",
      descending: false,
    } as const;
    expect(fromQuery(toQuery(search))).toEqual(search);
    expect(toQuery(ALL_STUDIES)).toBe("");
    expect(fromQuery("")).toEqual(ALL_STUDIES);
  });

  it("never holds the text, which may name a patient", () => {
    expect(toQuery({ ...ALL_STUDIES, text: "Doe Jane" })).toBe("");
    expect(fromQuery("text=Doe")).toEqual(ALL_STUDIES);
  });

  it("is read with what it does not understand left out", () => {
    expect(fromQuery("state=dead&sort=name&probability=7&first_date=yesterday&reported=yes")).toEqual(
      ALL_STUDIES,
    );
    expect(fromQuery(`finding=${"x".repeat(500)}`).finding.length).toBe(200);
  });
});

describe("a search", () => {
  it("is a filter where something is left out, whatever the order", () => {
    expect(isFiltered({ ...ALL_STUDIES, sort: "date", descending: false })).toBe(false);
    expect(isFiltered({ ...ALL_STUDIES, text: "  " })).toBe(false);
    expect(isFiltered({ ...ALL_STUDIES, text: "doe" })).toBe(true);
    expect(isFiltered({ ...ALL_STUDIES, flagged: true })).toBe(true);
  });

  it("is sorted by a column in its own direction, then the other, then as the studies arrived", () => {
    const once = sortedBy(ALL_STUDIES, "patient");
    const twice = sortedBy(once, "patient");
    expect([once.sort, once.descending]).toEqual(["patient", false]);
    expect([twice.sort, twice.descending]).toEqual(["patient", true]);
    expect(sortedBy(twice, "patient")).toEqual(ALL_STUDIES);
    expect(sortedBy(once, "date").descending).toBe(true);
  });
});
