/** What a reader draws on the image: lengths and regions, in places of the image, and their form in a link. */

import type { Axis } from "./plane";

/** A place on a plane: (row, column), pixel centres at integers. */
export type Place = readonly [row: number, column: number];

export interface Mark {
  kind: "length" | "region";
  /** The plane that it was drawn on. */
  axis: Axis;
  at: number;
  /** Two ends of a length; the corners of a closed region. */
  places: readonly Place[];
}

/** As many as a reader keeps, and a link holds. */
export const MOST_MARKS = 20;
export const MOST_CORNERS = 200;
const KINDS = { length: "l", region: "r" } as const;

const round = (value: number): number => Math.round(value * 10) / 10;

/** `l0@12:10.5,20_30,40` : kind, axis, plane, then the places. */
export function marksText(marks: readonly Mark[]): string {
  return marks
    .slice(0, MOST_MARKS)
    .map(({ kind, axis, at, places }) => {
      const corners = places.slice(0, MOST_CORNERS).map((place) => place.map(round).join(","));
      return `${KINDS[kind]}${axis}@${at}:${corners.join("_")}`;
    })
    .join(";");
}

/** Reads them; what is not understood is left out. */
export function marksFrom(text: string | null): Mark[] {
  const marks = (text ?? "").split(";").slice(0, MOST_MARKS).map(mark);
  return marks.filter((one) => one !== null);
}

function mark(text: string): Mark | null {
  const [, letter, axis, at, corners] = /^([lr])([012])@(\d{1,6}):(.+)$/.exec(text) ?? [];
  const places = (corners ?? "").split("_").slice(0, MOST_CORNERS).map(place);
  const kind = letter === KINDS.length ? "length" : "region";
  const enough = kind === "length" ? places.length === 2 : places.length >= 3;
  if (!corners || !enough || places.some((one) => one === null)) return null;
  return { kind, axis: Number(axis) as Axis, at: Number(at), places: places as Place[] };
}

function place(text: string): Place | null {
  const [row, column, ...rest] = text.split(",").map(Number);
  return rest.length === 0 && Number.isFinite(row) && Number.isFinite(column)
    ? [row as number, column as number]
    : null;
}
