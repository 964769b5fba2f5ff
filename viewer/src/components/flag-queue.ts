/** <cl-flag-queue>: what readers flagged in all studies, and what came of it. */

import { element, fill } from "../element";
import {
  type FlagCount,
  type FlagPage,
  flagCounts,
  flagPage,
  flagPicture,
  type QueuedFlag,
  STATES,
} from "../flag-queue";
import { moment } from "../format";
import { type Reason, viewOfFlag } from "../remarks";
import { methodName, texts } from "../texts";
import { overviewTexts } from "../texts-overviews";
import { DEFAULT_VIEW, type Place, toAddress } from "../view";
import type { Page } from "./app";
import { LoadedPage } from "./loaded-page";
import { message } from "./message";
import { resolveForm } from "./resolve-form";
import { section, table } from "./table";

const words = overviewTexts.flags;
const REASONS = Object.keys(texts.flag.reasons) as Reason[];
/** What a page without a wish shows. */
const OPEN = "state=open";

interface Content {
  page: FlagPage;
  counts: FlagCount[];
}

export class FlagQueue extends LoadedPage<Content> implements Page {
  #list = element("ol");

  constructor(private query: string) {
    super();
  }

  follow(place: Place): boolean {
    if (place.page !== "flags") return false;
    this.query = place.query;
    this.load();
    return true;
  }

  protected async ask(): Promise<Content> {
    const [page, counts] = await Promise.all([flagPage(this.#wish), flagCounts()]);
    return { page, counts };
  }

  protected build({ page, counts }: Content): HTMLElement[] {
    this.#list = element(
      "ol",
      {
        class: "flag-queue",
        attributes: { "aria-label": words.list },
        on: { keydown: (event) => this.#key(event as KeyboardEvent) },
      },
      ...page.flags.map((flag) => this.#item(flag)),
    );
    const count = element("span", { class: "weak", attributes: { role: "status" } }, words.count(page.total));
    const keys = element("span", { class: "weak flag-keys" }, words.keys);
    return [
      element(
        "div",
        { class: "overview" },
        element("div", { class: "overview-title" }, element("h1", {}, words.title), count, keys),
        this.#filters(counts),
        page.flags.length > 0 ? this.#list : message({ title: words.none, how: words.noneHow }),
        page.more && this.#more(),
        counts.length > 0 && section(words.counts, null, counted(counts)),
      ),
    ];
  }

  get #wish(): string {
    return this.query || OPEN;
  }

  #filters(counts: readonly FlagCount[]): HTMLElement {
    const wish = new URLSearchParams(this.#wish);
    const models = [...new Set(counts.map(({ model, version }) => `${model}@${version}`))];
    const findings = [...new Set(counts.map(({ finding }) => finding))].sort();
    const same = (names: readonly string[]): (readonly [string, string])[] =>
      names.map((name) => [name, name]);
    const choice = (
      name: string,
      label: string,
      any: string,
      values: readonly (readonly [string, string])[],
    ): HTMLElement => {
      const id = `flags-${name}`;
      const select = element(
        "select",
        { attributes: { id }, on: { change: () => this.#change(name, select.value) } },
        ...[["", any] as const, ...values].map(([value, text]) => new Option(text, value)),
      );
      select.value = wish.get(name) ?? "";
      return element("div", {}, element("label", { attributes: { for: id } }, label), select);
    };
    return element(
      "div",
      { class: "sheet-controls", attributes: { role: "search" } },
      choice(
        "state",
        words.state,
        words.anyState,
        STATES.map((one) => [one, words.states[one]] as const),
      ),
      choice("model", words.model, words.anyModel, same(models)),
      choice("finding", words.finding, words.anyFinding, same(findings)),
      choice(
        "reason",
        words.reason,
        words.anyReason,
        REASONS.map((one) => [one, texts.flag.reasons[one]] as const),
      ),
    );
  }

  #change(name: string, value: string): void {
    const wish = new URLSearchParams(this.#wish);
    if (value) wish.set(name, value);
    else wish.delete(name);
    // Without any wish the address would mean what is open.
    location.hash = toAddress({ page: "flags", query: wish.toString() || "state=" });
  }

  #more(): HTMLElement {
    const fetchMore = async (): Promise<void> => {
      const last = this.content?.page.flags.at(-1);
      if (!this.content || !last) return;
      const next = await flagPage(this.#wish, last.number);
      const { page, counts } = this.content;
      this.content = { counts, page: { ...next, flags: [...page.flags, ...next.flags] } };
      this.show();
    };
    return element(
      "button",
      { attributes: { type: "button", id: "flags-more" }, on: { click: fetchMore } },
      words.more,
    );
  }

  #item(flag: QueuedFlag): HTMLElement {
    const { number, finding } = flag;
    const place = element("div", { class: "resolve-place" });
    const item = element("li", { attributes: { "data-flag": number } });
    const closed = (kept: boolean): void => {
      fill(place);
      resolve.setAttribute("aria-expanded", "false");
      if (kept) this.#goOn(number);
      else item.querySelector("a")?.focus();
    };
    const open = (): void => {
      fill(place, resolveForm(flag, closed));
      resolve.setAttribute("aria-expanded", "true");
      place.querySelector("select")?.focus();
    };
    const label = words.openLabel(number, finding);
    const link = element(
      "a",
      { class: "link", attributes: { href: address(flag), id: `flag-${number}`, "aria-label": label } },
      words.open,
    );
    const resolve = element(
      "button",
      { class: "resolve", attributes: { type: "button", "aria-expanded": "false" }, on: { click: open } },
      flag.resolution ? words.again : words.resolve,
    );
    fill(
      item,
      picture(flag),
      element("div", { class: "flag-words" }, ...said(flag), element("p", {}, link, resolve), place),
    );
    return item;
  }

  /** After a resolution, to the flag that is now where the resolved one was. */
  async #goOn(number: number): Promise<void> {
    const at = this.content?.page.flags.findIndex((flag) => flag.number === number) ?? 0;
    await this.load();
    const links = [...this.#list.querySelectorAll("a")];
    (links[Math.min(at, links.length - 1)] ?? document.getElementById("flags-state"))?.focus();
  }

  #key(event: KeyboardEvent): void {
    const { target, key } = event;
    if (!(target instanceof HTMLElement) || target.closest("form") || event.ctrlKey || event.metaKey) return;
    const items = [...this.#list.children];
    const at = items.findIndex((item) => item.contains(target));
    const by = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (by) items[at + by]?.querySelector("a")?.focus();
    else if (key.toLowerCase() === "r") items[at]?.querySelector<HTMLElement>("button.resolve")?.click();
    else return;
    event.preventDefault();
  }
}

/** The study as the reader saw it; where another viewer showed it, with the map on. */
function address(flag: QueuedFlag): string {
  const seen = viewOfFlag(flag) ?? { map: true };
  const { image, explanation, study } = flag;
  return toAddress({ page: "study", study, view: { ...DEFAULT_VIEW, ...seen, image, explanation } });
}

function picture({ number, finding }: QueuedFlag): HTMLElement {
  const image = element("img", {
    attributes: { src: flagPicture(number), alt: words.picture(finding), loading: "lazy" },
  });
  const gone = (): void => fill(frame, element("span", { class: "weak" }, words.noPicture));
  image.addEventListener("error", gone, { once: true });
  const frame = element("div", { class: "flag-picture" }, image);
  return frame;
}

function said(flag: QueuedFlag): HTMLElement[] {
  const { resolution } = flag;
  const notes = [
    words.number(flag.number),
    words.said(flag.who, moment(flag.created)),
    words.by(flag.model, methodName(flag.method)),
    flag.current ? "" : words.notCurrent,
    flag.made_anew ? words.madeAnew : "",
  ].filter(Boolean);
  return [
    element("h2", {}, `${flag.finding}: ${texts.flag.reasons[flag.reason].toLowerCase()}`),
    element("p", { class: "weak" }, notes.join(" · ")),
    ...(flag.text ? [element("p", {}, flag.text)] : []),
    ...(resolution ? [element("p", { class: "told" }, resolved(resolution)), ...why(resolution.reason)] : []),
  ];
}

const why = (reason: string): HTMLElement[] => [element("p", {}, reason)];

function resolved(resolution: NonNullable<QueuedFlag["resolution"]>): string {
  const { outcome, repaired_by, duplicate_of, who, created } = resolution;
  const which = repaired_by ?? (duplicate_of === null ? "" : words.of(duplicate_of));
  return words.resolved([words.states[outcome], which].filter(Boolean).join(" "), who, moment(created));
}

/** A line for each model and finding, with how many flags are in each state. */
function counted(counts: readonly FlagCount[]): HTMLElement {
  const lines = new Map<string, FlagCount[]>();
  for (const one of counts) {
    const key = JSON.stringify([`${one.model}@${one.version}`, one.finding]);
    lines.set(key, [...(lines.get(key) ?? []), one]);
  }
  const columns = [
    { name: words.model },
    { name: words.finding },
    ...STATES.map((state) => ({ name: words.states[state], numbers: true })),
  ];
  const number = (of: FlagCount[], state: string): string =>
    String(of.reduce((sum, one) => sum + (one.state === state ? one.number : 0), 0));
  return table(
    columns,
    [...lines].map(([key, of]) => [
      ...(JSON.parse(key) as string[]),
      ...STATES.map((state) => number(of, state)),
    ]),
  );
}

customElements.define("cl-flag-queue", FlagQueue);
