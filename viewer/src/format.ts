/** Numbers, names and dates as they are read. */

const MINUS = "−";

/** Three significant digits at most, without exponent; a true minus sign. */
export function number(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 1e-4) return value.toExponential(0).replaceAll("-", MINUS);
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value) || 1)));
  const text = value.toFixed(Math.min(decimals, 6));
  return (Number(text) === 0 ? "0" : trimmed(text)).replace("-", MINUS);
}

const trimmed = (text: string): string => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/** A logit: two decimals and always a sign, except for zero. */
export function signed(value: number): string {
  const text = Math.abs(value).toFixed(2);
  if (Number(text) === 0) return value === 0 ? "0" : value > 0 ? "<\u2009+0.01" : `>\u2009${MINUS}0.01`;
  return (value > 0 ? "+" : MINUS) + text;
}

/** Two significant digits and a sign: evidence of one cell. */
export function withSign(value: number): string {
  return (value > 0 ? "+" : "") + number(value, 2);
}

/** A probability; no model is certain, so what rounds to 0 or 100 % is said to be near it. */
export function probability(value: number): string {
  if (value < 0.005) return "<\u20091\u2009%";
  return value > 0.995 ? ">\u200999\u2009%" : percent(value);
}

/** A share, or a zoom. */
export const percent = (share: number): string => `${Math.round(share * 100)}\u2009%`;

/** Bytes in the largest unit of which there is at least one, powers of ten as disks are sold. */
export function bytes(size: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, size)) / 3)));
  return `${number(size / 1000 ** power)} ${units[power]}`;
}

/** DICOM DA (YYYYMMDD) as YYYY-MM-DD; anything else as it is. */
export function date(text: string): string {
  return text.replace(/^(\d{4})(\d{2})(\d{2})$/, "$1-$2-$3");
}

/** DICOM PN: family name, given names; empty components left out. */
export function personName(text: string): string {
  const [family = "", given = "", middle = ""] = (text.split("=")[0] ?? "").split("^");
  return [family, [given, middle].filter(Boolean).join(" ")].filter(Boolean).join(", ");
}

/** A description: some devices separate its parts by "^". */
export const description = (text: string): string => text.replaceAll("^", " ");

/** ISO 8601 to minutes, in UTC as it was written. */
export function moment(iso: string): string {
  return iso.replace("T", " ").replace(/^(.{16}).*$/, "$1 UTC");
}

export const sizes = (values: readonly number[]): string => values.map((size) => number(size)).join(" × ");

export const shortDigest = (digest: string): string => digest.slice(0, 12);
