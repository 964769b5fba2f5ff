/**
 * camlucida in OHIF 3.13: an extension in one file, loaded by its address, without a rebuild.
 *
 *     window.config.extensions = ["https://station/camlucida-ohif.js"];
 *
 * How to put it in: docs/how-to/show-maps-in-ohif.md.
 */

import { Evidence } from "./evidence";
import { Ohif, type OhifParts, reactElement } from "./ohif";
import { Overlays } from "./overlays";
import { KEY, PANEL, usePanel } from "./panel";
import { ReportLines } from "./report-lines";
import { Station, stationOf } from "./station";
import { words } from "./texts";

interface Config {
  camlucida?: { station?: string; token?: string };
}

let evidence: Evidence | null = null;

function start(parts: OhifParts): void {
  const settings = (window as unknown as { config?: Config }).config?.camlucida;
  const ohif = new Ohif(parts);
  evidence = new Evidence(new Station(stationOf(import.meta.url, settings), settings));
  usePanel(ohif, evidence);
  new Overlays(ohif, evidence).start();
  new ReportLines(ohif).start();
  document.addEventListener("keydown", toggled);
}

/** The key shows and hides the map, but not while somebody writes. */
function toggled(event: KeyboardEvent): void {
  if (event.key !== KEY || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const [target] = event.composedPath();
  if (
    target instanceof HTMLElement &&
    target.matches("input:not([type=range]), textarea, select, [contenteditable]")
  )
    return;
  evidence?.toggle();
}

export default {
  id: "camlucida",
  preRegistration: start,

  getPanelModule: () => [
    {
      name: "evidence",
      iconName: "EyeVisible",
      iconLabel: words.title,
      label: words.title,
      component: () => reactElement(PANEL),
    },
  ],

  /** For toolbars and hotkeys of a hospital's own. */
  getCommandsModule: () => ({
    definitions: { toggleEvidence: { commandFn: () => evidence?.toggle() } },
    defaultContext: "DEFAULT",
  }),
};
