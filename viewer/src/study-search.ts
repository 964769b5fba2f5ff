/** What is wanted of the studies, and in which order: as the station is asked, and as a link says it. */

import type { StudyState } from "./types";

const SORTS = [
  "arrival",
  "patient",
  "date",
  "description",
  "modality",
  "images",
  "findings",
  "state",
] as const;
export type Sort = (typeof SORTS)[number];

export const STATES: readonly StudyState[] = ["waiting", "explained", "failed", "refused"];

/** In the words of POST /api/studies/search; an empty field wants nothing. */
export interface StudySearch {
  /** Words of a name, patient ID, accession number or description: never in an address. */
  text: string;
  finding: string;
  /** Of the finding, or of any: at least this. */
  probability: number;
  reported: boolean;
  flagged: boolean;
  /** DICOM DA: YYYYMMDD. */
  first_date: string;
  last_date: string;
  state: StudyState | "";
  modality: string;
  sort: Sort;
  descending: boolean;
}

export const ALL_STUDIES: StudySearch = {
  text: "",
  finding: "",
  probability: 0,
  reported: false,
  flagged: false,
  first_date: "",
  last_date: "",
  state: "",
  modality: "",
  sort: "arrival",
  descending: true,
};

const LONGEST = 200;
const WORDS = ["finding", "first_date", "last_date", "state", "modality", "sort"] as const;
const SWITCHES = ["reported", "flagged"] as const;

/** The query of the worklist's address: all but the text, which may name a patient. */
export function toQuery(search: StudySearch): string {
  const query = new URLSearchParams();
  for (const name of WORDS) if (search[name] !== ALL_STUDIES[name]) query.set(name, search[name]);
  for (const name of SWITCHES) if (search[name]) query.set(name, "1");
  if (search.probability > 0) query.set("probability", String(search.probability));
  if (!search.descending) query.set("ascending", "1");
  return query.toString();
}

/** Reads a query; what is not understood is left out. */
export function fromQuery(text: string): StudySearch {
  const query = new URLSearchParams(text);
  const word = (name: string): string => (query.get(name) ?? "").slice(0, LONGEST);
  const day = (name: string): string => (/^\d{8}$/.test(word(name)) ? word(name) : "");
  const probability = Number(query.get("probability"));
  return {
    text: "",
    finding: word("finding"),
    probability: probability > 0 && probability <= 1 ? probability : 0,
    reported: query.get("reported") === "1",
    flagged: query.get("flagged") === "1",
    first_date: day("first_date"),
    last_date: day("last_date"),
    state: STATES.find((one) => one === word("state")) ?? "",
    modality: word("modality"),
    sort: SORTS.find((one) => one === word("sort")) ?? "arrival",
    descending: query.get("ascending") !== "1",
  };
}

/** Whether anything is left out of the list. */
export const isFiltered = (search: StudySearch): boolean =>
  toQuery({ ...search, sort: "arrival", descending: true }) !== "" || search.text.trim() !== "";

/** What a click on a column's head means: its own direction first, then the other, then as they arrived. */
export function sortedBy(search: StudySearch, sort: Sort): StudySearch {
  const first = sort === "date" || sort === "images" || sort === "findings";
  if (search.sort !== sort) return { ...search, sort, descending: first };
  if (search.descending === first) return { ...search, descending: !first };
  return { ...search, sort: "arrival", descending: true };
}
