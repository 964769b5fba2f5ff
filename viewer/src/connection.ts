/** Whether the station answers: one state for the whole page. */

export type Connection = "up" | "lost" | "signed-out";

const RETRY_MS = 2000;

class Watch extends EventTarget {
  #state: Connection = "up";
  #timer: ReturnType<typeof setTimeout> | undefined;

  get state(): Connection {
    return this.#state;
  }

  /** Called by the API after every answer, or the lack of one. */
  report(state: Connection): void {
    if (state === this.#state) return;
    this.#state = state;
    clearTimeout(this.#timer);
    if (state === "lost") this.#timer = setTimeout(() => this.#knock(), RETRY_MS);
    this.dispatchEvent(new Event("change"));
  }

  async #knock(): Promise<void> {
    try {
      const response = await fetch("/api/about", { cache: "no-store" });
      this.report(response.status === 401 ? "signed-out" : "up");
    } catch {
      // Still away: that is what the banner says; knock again.
      this.#timer = setTimeout(() => this.#knock(), RETRY_MS);
    }
  }
}

export const connection = new Watch();
