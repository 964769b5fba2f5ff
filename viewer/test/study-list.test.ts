import { describe, expect, it } from "vitest";
import { type Ask, PAGE, StudyList } from "../src/study-list";
import { ALL_STUDIES } from "../src/study-search";
import type { StudyRow } from "../src/types";

/** A station of so many studies, newest first, that counts what it is asked. */
function station(number: number) {
  let studies = Array.from({ length: number }, (_, i) => ({ key: `k${i}` }) as StudyRow);
  const asked: (string | null | number)[][] = [];
  const ask: Ask = async (_, { after, skip, limit }) => {
    asked.push([after, skip]);
    const first = after === null ? skip : studies.findIndex((one) => one.key === after) + 1 + skip;
    return { total: after === null ? studies.length : null, studies: studies.slice(first, first + limit) };
  };
  const arrive = (key: string): void => {
    studies = [{ key } as StudyRow, ...studies];
  };
  return { ask, asked, arrive };
}

describe("a list of studies", () => {
  it("asks only for what is looked at, each page after the last study known before it", async () => {
    const { ask, asked } = station(100_000);
    const list = new StudyList(ALL_STUDIES, ask);
    await list.want(0, 30);
    await list.want(30, 60);
    await list.want(50_010, 50_030);
    await list.want(50_040, 50_060);
    expect(list.total).toBe(100_000);
    expect(asked).toEqual([
      [null, 0],
      [`k${PAGE - 1}`, 0],
      [`k${2 * PAGE - 1}`, 50_000 - 2 * PAGE],
      [`k${50_000 + PAGE - 1}`, 0],
    ]);
    expect(list.row(50_055)?.key).toBe("k50055");
    expect(list.row(40_000)).toBeUndefined();
  });

  it("never asks for what was only passed while an answer was on its way", async () => {
    const { ask, asked } = station(100_000);
    const list = new StudyList(ALL_STUDIES, ask);
    await list.want(0, 10);
    for (const first of [10_000, 20_000, 30_000, 99_990]) list.want(first, first + 9);
    await new Promise((done) => setTimeout(done));
    expect(asked.length).toBe(3);
    expect(list.row(99_999)?.key).toBe("k99999");
  });

  it("follows what arrives where its beginning is looked at, and otherwise says that it has changed", async () => {
    const { ask, arrive } = station(200);
    const list = new StudyList(ALL_STUDIES, ask);
    await list.want(0, 20);
    arrive("new");
    await list.lookAgain(false);
    expect([list.row(0)?.key, list.total, list.outdated]).toEqual(["k0", 200, true]);
    await list.lookAgain(true);
    expect([list.row(0)?.key, list.total, list.outdated]).toEqual(["new", 201, false]);
  });

  it("keeps what went wrong", async () => {
    const list = new StudyList(ALL_STUDIES, () => Promise.reject(new Error("lost")));
    await list.want(0, 10);
    expect(list.error).toEqual(new Error("lost"));
  });
});
