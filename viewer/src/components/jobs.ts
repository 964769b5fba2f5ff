/** <cl-jobs>: what the station has to do, what is done, what has failed and why; and trying that again. */

import { element } from "../element";
import { moment } from "../format";
import {
  type Again,
  type Jobs as Content,
  cancelJob,
  type Delivery,
  explainAgain,
  type Failure,
  jobs,
  me,
  type Reason,
  type Running,
  type Status,
  status,
  tryAgain,
  type Waiting,
} from "../overviews";
import { methodName } from "../texts";
import { overviewTexts } from "../texts-overviews";
import { DEFAULT_VIEW, type Place, toAddress } from "../view";
import type { Page } from "./app";
import { LoadedPage } from "./loaded-page";
import { standing, wrong } from "./standing";
import { type Cell, section, table } from "./table";

const LOOK_AGAIN_MS = 3000;
const words = overviewTexts.jobs;

interface Told {
  work: Content;
  status: Status;
  /** Of who looks: what they may not do, they are not offered. */
  rights: string[];
}

export class Jobs extends LoadedPage<Told> implements Page {
  #rights: string[] = [];

  constructor() {
    super(LOOK_AGAIN_MS);
  }

  override connectedCallback(): void {
    this.tabIndex = 0; // it is long and may hold no link: the keyboard scrolls it
    super.connectedCallback();
  }

  follow(place: Place): boolean {
    return place.page === "jobs";
  }

  protected async ask(): Promise<Told> {
    const [work, standing, { rights }] = await Promise.all([jobs(), status(), me()]);
    return { work, status: standing, rights };
  }

  protected build({ work: content, status, rights }: Told): HTMLElement[] {
    this.#rights = rights;
    const title = element(
      "div",
      { class: "overview-title" },
      element("h1", {}, words.title),
      element("span", { class: "weak", attributes: { role: "status" } }, atWork(content)),
    );
    return [
      element(
        "div",
        { class: "overview jobs" },
        title,
        wrong(status) || "",
        this.#explanations(content.explanations),
        arrivals(content.arrivals),
        this.#results(content.results),
        this.#deliveries(content.deliveries),
        standing(status),
      ),
    ];
  }

  /** A button that asks for something and then looks what came of it. */
  #button(id: string, text: string, run: () => Promise<unknown>): HTMLButtonElement {
    const pressed = async (): Promise<void> => {
      button.disabled = true;
      await run().catch(() => null); // what the station says of it is shown by the page that follows
      button.disabled = false;
      await this.load();
    };
    const button = element("button", { attributes: { type: "button", id }, on: { click: pressed } }, text);
    return button;
  }

  #again(again: Again, text: string): HTMLButtonElement | false {
    if (!this.#rights.includes("work")) return false;
    const id = `again-${again.what}${again.what === "deliveries" ? `-${again.destination}` : ""}`;
    return this.#button(id, text, () => tryAgain(again));
  }

  #explanations(told: Content["explanations"]): HTMLElement {
    const waiting = told.waiting.reduce((sum, { number }) => sum + number, 0);
    const day = told.done_by_hour.reduce((sum, { number }) => sum + number, 0);
    const refused = told.refused.reduce((sum, { number }) => sum + number, 0);
    return section(
      words.explanations,
      null,
      figures([
        [waiting, words.waiting],
        [told.done, words.done],
        [day, words.today],
        [told.failed, words.failed, told.failed > 0],
        [refused, words.refused],
      ]),
      hours(told.done_by_hour),
      told.running.length > 0 && part(words.running, null, this.#running(told.running)),
      told.waiting.length > 0 && part(words.queue, null, queue(told.waiting)),
      told.failed > 0 && this.#failures(told.failed, told.failures),
      told.refused.length > 0 && part(words.refusals, null, reasons(words.model, told.refused)),
    );
  }

  #running(running: Running[]): HTMLElement {
    const columns = [
      { name: words.model },
      { name: words.method },
      { name: words.progress },
      { name: words.study },
      { name: words.cancel, silent: true },
    ];
    const rows = running.map((one) => [
      one.model,
      methodName(one.method),
      progress(one),
      openStudy(one),
      this.#rights.includes("work") &&
        this.#button(`cancel-${one.key}`, words.cancel, () => cancelJob(one.key)),
    ]);
    return table(columns, rows);
  }

  #failures(all: number, failures: Failure[]): HTMLElement {
    const columns = [
      { name: words.why },
      { name: words.model },
      { name: words.method },
      { name: words.when, numbers: true },
      { name: words.study },
      { name: words.again, silent: true },
    ];
    const rows = failures.map((one) => [
      one.reason,
      one.model,
      methodName(one.method),
      one.finished && moment(one.finished),
      openStudy(one),
      one.current &&
        this.#rights.includes("ask") &&
        this.#button(`again-${one.key}`, words.again, () => explainAgain(one.key)),
    ]);
    const title =
      all > failures.length ? `${words.failures}: ${words.firstOf(failures.length, all)}` : words.failures;
    const several = failures.filter(({ current }) => current).length > 1;
    const everything = several && this.#again({ what: "explanations" }, words.againAll);
    return part(title, everything, table(columns, rows));
  }

  #results(told: Content["results"]): HTMLElement {
    const refused = told.refused.reduce((sum, { number }) => sum + number, 0);
    return section(
      words.results,
      null,
      figures([
        [told.waiting, words.waiting],
        [told.done, words.written],
        [refused, words.refused],
      ]),
      refused > 0 &&
        part(
          words.notWritten,
          this.#again({ what: "results" }, words.again),
          reasons(words.profile, told.refused),
        ),
    );
  }

  #deliveries(told: Delivery[]): HTMLElement {
    if (told.length === 0)
      return section(words.deliveries, null, element("p", { class: "weak" }, words.nowhere));
    const columns = [
      { name: words.destination },
      { name: words.sent, numbers: true },
      { name: words.toSend, numbers: true },
      { name: words.next, numbers: true },
      { name: words.givenUp, numbers: true },
      { name: words.why },
      { name: words.sendAgain, silent: true },
    ];
    const rows = told.map((one) => {
      const givenUp = one.given_up.reduce((sum, { number }) => sum + number, 0);
      const why = [...new Set([one.reason, ...one.given_up.map(({ reason }) => reason)])].filter(Boolean);
      return [
        one.destination,
        String(one.sent),
        String(one.waiting),
        one.due && moment(one.due),
        String(givenUp),
        why.join(" "),
        one.waiting + givenUp > 0 &&
          this.#again({ what: "deliveries", destination: one.destination }, words.sendAgain),
      ];
    });
    return section(words.deliveries, null, table(columns, rows));
  }
}

function atWork({ working, explanations, arrivals, results }: Content): string {
  const waits = explanations.waiting.some(({ current }) => current) || arrivals.waiting + results.waiting > 0;
  if (!waits) return words.idle;
  return working ? words.working : words.nobody;
}

/** Large numbers in a row; what needs a look stands out. */
function figures(numbers: readonly (readonly [number, string, boolean?])[]): HTMLElement {
  const items = numbers.map(([number, name, urgent]) =>
    element(
      "div",
      { class: urgent ? "urgent" : "" },
      element("dd", { class: "numbers" }, number.toLocaleString("en")),
      element("dt", {}, name),
    ),
  );
  return element("dl", { class: "figures" }, ...items);
}

function part(title: string, beside: Cell, content: HTMLElement): HTMLElement {
  const head = element("div", { class: "section-head" }, element("h3", {}, title), beside);
  return element("div", { class: "part" }, head, content);
}

/** One bar an hour. */
function hours(told: Content["explanations"]["done_by_hour"]): HTMLElement {
  const most = Math.max(1, ...told.map(({ number }) => number));
  const all = told.reduce((sum, { number }) => sum + number, 0);
  const bars = told.map(({ hour, number }) => {
    const bar = element("span", { attributes: { title: words.hour(hour.slice(11, 16), number) } });
    bar.style.height = `${(100 * number) / most}%`;
    return bar;
  });
  return element(
    "figure",
    { class: "hours" },
    element(
      "div",
      { class: "bars", attributes: { role: "img", "aria-label": words.byHourLabel(all, most) } },
      ...bars,
    ),
    element(
      "figcaption",
      {},
      element("span", {}, words.hoursAgo),
      element("span", {}, words.byHour),
      element("span", {}, words.now),
    ),
  );
}

function queue(waiting: Waiting[]): HTMLElement {
  const columns = [
    { name: words.model },
    { name: words.method },
    { name: words.number, numbers: true },
    { name: words.since, numbers: true },
    { name: words.why, silent: true },
  ];
  const rows = waiting.map((one) => [
    `${one.model}@${one.version}`,
    methodName(one.method),
    String(one.number),
    moment(one.since),
    !one.current && words.forEver,
  ]);
  return table(columns, rows);
}

function reasons(of: string, told: Reason[], names: Record<string, string> = {}): HTMLElement {
  const columns = [
    { name: words.why },
    { name: of },
    { name: words.number, numbers: true },
    { name: words.latest, numbers: true },
  ];
  const rows = told.map((one) => [
    one.reason,
    names[one.of] ?? one.of,
    String(one.number),
    one.latest && moment(one.latest),
  ]);
  return table(columns, rows);
}

function arrivals(told: Content["arrivals"]): HTMLElement {
  const since = told.since && words.arrivingSince(moment(told.since));
  return section(
    words.arrivals,
    since && element("span", { class: "weak numbers" }, since),
    figures([[told.waiting, words.arriving]]),
    told.not_read.length > 0 && part(words.notRead, null, reasons(words.what, told.not_read, words.kinds)),
  );
}

/** How far it has come, where the method says so, and that it has failed before. */
function progress({ progress, attempt }: Running): HTMLElement {
  const told = progress && words.steps(progress.done, progress.of);
  return element(
    "span",
    { class: "job-progress" },
    progress &&
      element("progress", { attributes: { value: progress.done, max: progress.of, "aria-label": told } }),
    told && element("span", { class: "numbers" }, told),
    attempt > 1 && element("span", { class: "weak" }, words.attempt(attempt)),
  );
}

function openStudy({ study, image }: { study: string; image: string }): HTMLElement {
  const href = toAddress({ page: "study", study, view: { ...DEFAULT_VIEW, image } });
  return element("a", { class: "link", attributes: { href } }, words.open);
}

customElements.define("cl-jobs", Jobs);
