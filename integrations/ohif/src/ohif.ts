/** The few things of OHIF 3.13 and Cornerstone3D that the module touches, and what it asks of them. */

export type Point2 = [number, number];
export type Point3 = [number, number, number];

/** A Cornerstone viewport; what a viewport of another kind lacks is optional. */
export interface CornerstoneViewport {
  id: string;
  type: string;
  element: HTMLElement;
  canvas?: HTMLCanvasElement;
  canvasToWorld(place: Point2): Point3;
  getCurrentImageId?(): string | undefined;
  getImageIds?(): string[];
  getImageData?(): { imageData?: { worldToIndex(world: Point3): ArrayLike<number> } } | undefined;
  getRotation?(): number;
  getZoom?(): number;
  getCamera?(): { flipHorizontal?: boolean; flipVertical?: boolean };
  setImageIdIndex?(index: number): Promise<unknown>;
  render?(): void;
}

interface PubSub {
  EVENTS: Record<string, string>;
  subscribe(event: string, listener: () => void): { unsubscribe(): void };
}

export interface Services {
  viewportGridService: PubSub & {
    getActiveViewportId(): string | null;
    getDisplaySetsUIDsForViewport?(id: string): string[] | undefined;
  };
  displaySetService: { getDisplaySetByUID(id: string): { Modality?: string } | undefined };
  cornerstoneViewportService: PubSub & { getCornerstoneViewport(id: string): CornerstoneViewport | null };
}

interface ExtensionManager {
  getModuleEntry(id: string): { exports: Record<string, unknown> } | undefined;
}

interface Cornerstone {
  metaData: { get(type: string, imageId: string): unknown };
}

/** What OHIF hands to an extension. */
export interface OhifParts {
  servicesManager: { services: Services };
  extensionManager: ExtensionManager;
}

/** The instance, and the frame counted from 1, that a viewport shows. */
export interface ShownInstance {
  study: string;
  series: string;
  instance: string;
  frame: number;
}

const CORNERSTONE = "@ohif/extension-cornerstone.utilityModule.common";

/** The element that each drawn image is told on; DOM events of Cornerstone3D. */
export const IMAGE_RENDERED = "CORNERSTONE_IMAGE_RENDERED";

export class Ohif {
  #cornerstone: Cornerstone | null = null;

  constructor(readonly parts: OhifParts) {}

  get services(): Services {
    return this.parts.servicesManager.services;
  }

  viewport(id: string | null): CornerstoneViewport | null {
    return id === null ? null : this.services.cornerstoneViewportService.getCornerstoneViewport(id);
  }

  get active(): CornerstoneViewport | null {
    return this.viewport(this.services.viewportGridService.getActiveViewportId());
  }

  /** Whether what was opened in a viewport is a structured report, shown on the image that it speaks of. */
  showsReport(viewportId: string): boolean {
    const { viewportGridService, displaySetService } = this.services;
    const opened = viewportGridService.getDisplaySetsUIDsForViewport?.(viewportId) ?? [];
    return opened.some((id) => displaySetService.getDisplaySetByUID(id)?.Modality === "SR");
  }

  /** What a viewport shows now; of a reformatted volume its first instance. */
  shown(viewport: CornerstoneViewport): ShownInstance | null {
    const imageId = viewport.getCurrentImageId?.() ?? viewport.getImageIds?.()[0];
    if (!imageId) return null;
    const found = this.#metadata.get("instance", imageId) as Record<string, unknown> | undefined;
    const { StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID } = found ?? {};
    if (!isText(StudyInstanceUID) || !isText(SeriesInstanceUID) || !isText(SOPInstanceUID)) return null;
    const frame = Number(/(?:\/frames\/|[?&]frame=)(\d+)/.exec(imageId)?.[1] ?? 1);
    return { study: StudyInstanceUID, series: SeriesInstanceUID, instance: SOPInstanceUID, frame };
  }

  /** The SOP Instance UIDs of all that a viewport can show, in its order. */
  instances(viewport: CornerstoneViewport): string[] {
    const metadata = this.#metadata;
    const of = (imageId: string) =>
      (metadata.get("instance", imageId) as Record<string, unknown> | undefined)?.SOPInstanceUID;
    return (viewport.getImageIds?.() ?? []).map(of).filter(isText);
  }

  get #metadata(): Cornerstone["metaData"] {
    if (!this.#cornerstone) {
      const exports = this.parts.extensionManager.getModuleEntry(CORNERSTONE)?.exports;
      const libraries = exports?.getCornerstoneLibraries as (() => { cornerstone: Cornerstone }) | undefined;
      if (!libraries) throw new Error(`This OHIF has no ${CORNERSTONE}; camlucida is made for OHIF 3.13.`);
      this.#cornerstone = libraries().cornerstone;
    }
    return this.#cornerstone.metaData;
  }
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

/**
 * OHIF gives its extensions no React, and needs an element of it for a panel: one of React 18, written out,
 * for a custom element that does the rest by itself.
 */
export const reactElement = (type: string): unknown => ({
  $$typeof: Symbol.for("react.element"),
  type,
  key: null,
  ref: null,
  props: {},
  _owner: null,
});
