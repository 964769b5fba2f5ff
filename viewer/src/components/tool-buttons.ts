/** Buttons of what is done with the image itself. */

import { takeTool } from "../marking";
import { invertGreys, mirror, turn } from "../orientation";
import type { Reading } from "../reading";
import { texts } from "../texts";
import { type Switch, toggle } from "./buttons";

/** How the image lies; pressed while it is not as it came. */
export function orientationSwitches(reading: Reading): Switch[] {
  const { display } = texts;
  return [
    toggle(
      { name: display.invert, title: display.invertTitle, key: "I" },
      () => invertGreys(reading),
      () => reading.view.inverted,
      () => reading.image?.header.colour === false,
    ),
    toggle(
      { name: display.turn, title: display.turnTitle, key: "T" },
      () => turn(reading),
      () => reading.view.turns > 0,
    ),
    toggle(
      { name: display.mirror, title: display.mirrorTitle, key: "M" },
      () => mirror(reading),
      () => reading.view.mirrored,
    ),
  ];
}

/** What a drag draws. */
export function toolSwitches(reading: Reading): Switch[] {
  const { marks } = texts;
  return [
    toggle(
      { name: marks.length, title: marks.lengthTitle, key: "L", icon: "length" },
      () => takeTool(reading, "length"),
      () => reading.tool === "length",
    ),
    toggle(
      { name: marks.region, title: marks.regionTitle, key: "G", icon: "region" },
      () => takeTool(reading, "region"),
      () => reading.tool === "region",
    ),
  ];
}
