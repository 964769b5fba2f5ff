/** <cl-sheet>: the maps of one finding over many studies at once, with their average. */

import { Refused } from "../api";
import { DEFAULT_COLOUR_MAP } from "../colour";
import {
  type Available,
  available,
  CHOICES,
  type Choice,
  ORDERS,
  type Order,
  ordered,
  type SheetMap,
  sheet,
} from "../contact-sheet";
import { element, fill, write } from "../element";
import { methodName, texts } from "../texts";
import { overviewTexts } from "../texts-overviews";
import { type Place, toAddress } from "../view";
import type { Page } from "./app";
import { AverageTile } from "./average-tile";
import { LoadedPage } from "./loaded-page";
import { failure, message } from "./message";
import { sheetLegend } from "./sheet-legend";
import { tile } from "./sheet-tile";

const words = overviewTexts.sheet;

/** What is looked at; all of it is in the address, which names no patient. */
interface Wish {
  model: string;
  method: string;
  finding: string;
  choice: Choice;
  order: Order;
}

export class Sheet extends LoadedPage<Available[]> implements Page {
  #wish: Wish | null = null;
  #maps: SheetMap[] = [];
  #visible = true;
  readonly #count = element("span", { class: "weak", attributes: { role: "status" } });
  readonly #grid = element("ul", { class: "sheet-grid" });
  readonly #legend = element("div", { class: "sheet-legend" });
  readonly #pressed = (event: KeyboardEvent) => this.#key(event);

  constructor(private query: string) {
    super();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("keydown", this.#pressed);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("keydown", this.#pressed);
  }

  follow(place: Place): boolean {
    if (place.page !== "sheet") return false;
    this.query = place.query;
    this.show();
    return true;
  }

  protected ask(): Promise<Available[]> {
    return available();
  }

  protected build(offered: Available[]): HTMLElement[] {
    this.#wish = wished(offered, this.query);
    if (!this.#wish) return [message({ title: words.none, how: words.noneHow })];
    this.#load();
    return [
      element(
        "div",
        { class: "overview sheet" },
        element("div", { class: "overview-title" }, element("h1", {}, words.title), this.#count),
        this.#controls(offered, this.#wish),
        this.#legend,
        this.#grid,
      ),
    ];
  }

  #controls(offered: Available[], wish: Wish): HTMLElement {
    const of = offered.findIndex(({ model, method }) => model === wish.model && method === wish.method);
    const models = offered.map(({ model, method }) => `${model}, ${methodName(method)}`);
    const findings = offered[of]?.findings ?? [];
    return element(
      "div",
      { class: "sheet-controls" },
      choice("sheet-model", words.model, models, of, (i) => {
        const { model, method, findings } = offered[i] as Available;
        const finding = findings.includes(wish.finding) ? wish.finding : (findings[0] ?? "");
        this.#change({ model, method, finding });
      }),
      choice("sheet-finding", words.finding, findings, findings.indexOf(wish.finding), (i) =>
        this.#change({ finding: findings[i] as string }),
      ),
      choice(
        "sheet-choice",
        words.taken,
        CHOICES.map((one) => words.choices[one]),
        CHOICES.indexOf(wish.choice),
        (i) => this.#change({ choice: CHOICES[i] as Choice }),
      ),
      choice(
        "sheet-order",
        words.order,
        ALL_ORDERS.map((one) => words.orders[one]),
        ALL_ORDERS.indexOf(wish.order),
        (i) => this.#change({ order: ALL_ORDERS[i] as Order }),
      ),
      this.#toggle(),
    );
  }

  #toggle(): HTMLElement {
    return element(
      "button",
      {
        attributes: {
          type: "button",
          id: "sheet-maps",
          "aria-pressed": String(this.#visible),
          title: texts.tools.withKey(texts.tools.mapTitle, "H"),
        },
        on: { click: () => this.#hide() },
      },
      words.maps,
    );
  }

  #key(event: KeyboardEvent): void {
    const typing =
      event.target instanceof HTMLSelectElement || event.ctrlKey || event.metaKey || event.altKey;
    if (!typing && event.key.toLowerCase() === "h") this.#hide();
  }

  #hide(): void {
    this.#visible = !this.#visible;
    this.classList.toggle("without-maps", !this.#visible);
    this.querySelector("#sheet-maps")?.setAttribute("aria-pressed", String(this.#visible));
  }

  #change(changed: Partial<Wish>): void {
    const before = this.#wish;
    if (!before) return;
    const wish = { ...before, ...changed };
    this.query = new URLSearchParams({ ...wish }).toString();
    history.replaceState(null, "", toAddress({ page: "sheet", query: this.query }));
    this.#wish = wish;
    if (Object.keys(changed).every((name) => name === "order")) this.#draw();
    else this.show();
  }

  async #load(): Promise<void> {
    const wish = this.#wish;
    if (!wish) return;
    const { order: _, ...sought } = wish;
    this.#grid.setAttribute("aria-busy", "true");
    try {
      const { all, maps } = await sheet(sought);
      if (!this.#wish || !sameMaps(this.#wish, wish)) return; // others were chosen meanwhile
      this.#maps = maps;
      write(this.#count, words.count(maps.length, all));
      this.#draw();
    } catch (error) {
      if (error instanceof Refused)
        fill(
          this.#grid,
          element(
            "li",
            {},
            failure(error, () => this.#load()),
          ),
        );
    }
    this.#grid.removeAttribute("aria-busy");
  }

  #draw(): void {
    const wish = this.#wish;
    if (!wish) return;
    const shown = ordered(this.#maps, wish.order);
    const mean = new AverageTile(this.#maps, wish.finding);
    const tiles = shown.map((one) => tile(one, wish.finding, (picture) => mean.add(picture)));
    fill(this.#grid, mean, ...tiles);
    fill(this.#legend, ...sheetLegend(this.#maps, DEFAULT_COLOUR_MAP));
  }
}

/** Whether two wishes are for the same maps, in whatever order. */
const sameMaps = (one: Wish, other: Wish): boolean =>
  one.model === other.model &&
  one.method === other.method &&
  one.finding === other.finding &&
  one.choice === other.choice;

const ALL_ORDERS = Object.keys(ORDERS) as Order[];

/** What an address asks for, as far as there is such a thing; else the first there is. */
function wished(offered: Available[], query: string): Wish | null {
  const asked = new URLSearchParams(query);
  const of =
    offered.find(({ model, method }) => model === asked.get("model") && method === asked.get("method")) ??
    offered.find(({ model }) => model === asked.get("model")) ??
    offered[0];
  if (!of?.findings[0]) return null;
  return {
    model: of.model,
    method: of.method,
    finding: of.findings.find((name) => name === asked.get("finding")) ?? of.findings[0],
    choice: CHOICES.find((one) => one === asked.get("choice")) ?? CHOICES[0],
    order: ALL_ORDERS.find((one) => one === asked.get("order")) ?? "taken",
  };
}

function choice(
  id: string,
  name: string,
  options: readonly string[],
  chosen: number,
  choose: (index: number) => void,
): HTMLElement {
  const select = element(
    "select",
    { attributes: { id }, on: { change: () => choose(select.selectedIndex) } },
    ...options.map((text) => element("option", {}, text)),
  );
  select.selectedIndex = chosen;
  return element("div", {}, element("label", { class: "weak", attributes: { for: id } }, name), select);
}

customElements.define("cl-sheet", Sheet);
