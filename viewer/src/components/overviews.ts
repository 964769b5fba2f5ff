/** The pages of many studies: they come in a file of their own, so that a linked study need not wait for them. */

import type { Place } from "../view";
import type { Page } from "./app";
import { FlagQueue } from "./flag-queue";
import { Jobs } from "./jobs";
import { Models } from "./models";
import { Sheet } from "./sheet";
import { Worklist } from "./worklist";

export function overview(place: Exclude<Place, { page: "study" }>): Page {
  switch (place.page) {
    case "models":
      return new Models(place.model);
    case "flags":
      return new FlagQueue(place.query);
    case "jobs":
      return new Jobs();
    case "sheet":
      return new Sheet(place.query);
    default:
      return new Worklist(place.query);
  }
}
