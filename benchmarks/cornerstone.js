/**
 * The page that viewer.py measures beside ours: Cornerstone3D, as its documentation shows a stack with an overlay.
 *
 * It gets the stored values as they are (no DICOM to parse, nothing to decompress) and the map on its native
 * grid, so that what is measured is drawing.
 */

import * as cornerstone from "@cornerstonejs/core";
import vtkColorTransferFunction from "@kitware/vtk.js/Rendering/Core/ColorTransferFunction";
import vtkPiecewiseFunction from "@kitware/vtk.js/Common/DataModel/PiecewiseFunction";

const { Enums, imageLoader, metaData, RenderingEngine } = cornerstone;

/** What viewer.py has written beside this page: what each image is, and which belong to the stack. */
const { images, stack, map, window: voi } = await (await fetch("described.json")).json();
const NAMES = { uint16: Uint16Array, int16: Int16Array, float32: Float32Array };

metaData.addProvider((kind, imageId) => {
  const image = images[imageId];
  if (!image) return undefined;
  const { rows, columns, spacing, position, dtype, slope, intercept } = image;
  const bits = dtype === "float32" ? 32 : 16;
  return {
    imagePlaneModule: {
      frameOfReferenceUID: "1.2.3",
      rows,
      columns,
      imageOrientationPatient: [1, 0, 0, 0, 1, 0],
      rowCosines: [1, 0, 0],
      columnCosines: [0, 1, 0],
      imagePositionPatient: position,
      pixelSpacing: spacing,
      rowPixelSpacing: spacing[0],
      columnPixelSpacing: spacing[1],
      sliceThickness: 1,
    },
    imagePixelModule: {
      pixelRepresentation: dtype === "uint16" ? 0 : 1,
      bitsAllocated: bits,
      bitsStored: bits,
      highBit: bits - 1,
      photometricInterpretation: "MONOCHROME2",
      samplesPerPixel: 1,
    },
    generalSeriesModule: { modality: "DX" },
    modalityLutModule: { rescaleSlope: slope, rescaleIntercept: intercept },
    voiLutModule: { windowCenter: [voi.center], windowWidth: [voi.width] },
  }[kind];
}, 10000);

async function load(imageId) {
  const { rows, columns, spacing, dtype, low, high, slope, intercept } = images[imageId];
  const buffer = await (await fetch(imageId.slice("raw:".length))).arrayBuffer();
  const values = new NAMES[dtype](buffer);
  return {
    imageId,
    minPixelValue: low,
    maxPixelValue: high,
    slope,
    intercept,
    windowCenter: voi.center,
    windowWidth: voi.width,
    voiLUTFunction: "LINEAR",
    getPixelData: () => values,
    rows,
    columns,
    height: rows,
    width: columns,
    color: false,
    rgba: false,
    numberOfComponents: 1,
    rowPixelSpacing: spacing[0],
    columnPixelSpacing: spacing[1],
    invert: false,
    photometricInterpretation: "MONOCHROME2",
    sizeInBytes: values.byteLength,
    dataType: values.constructor.name,
    imageFrame: {},
  };
}

imageLoader.registerImageLoader("raw", (imageId) => ({ promise: load(imageId) }));
await cornerstone.init();
const engine = new RenderingEngine("engine");
const element = document.querySelector("#viewport");
engine.enableElement({ viewportId: "viewport", type: Enums.ViewportType.STACK, element });
const viewport = engine.getViewport("viewport");
const rendered = new Promise((done) => element.addEventListener(Enums.Events.IMAGE_RENDERED, done, { once: true }));
await viewport.setStack(stack, 0);
viewport.setProperties({ voiRange: range(0) });
viewport.render();
await rendered;
globalThis.first = performance.now();

function range(step) {
  const center = voi.center + (step % 2 ? 8 : -8);
  return { lower: center - voi.width / 2, upper: center + voi.width / 2 };
}

let overlay = null;

/** Transparent to colour, as ours: opacity · clip(value / scale, 0, 1). */
function fade(opacity) {
  const curve = vtkPiecewiseFunction.newInstance();
  curve.addPoint(0, 0);
  curve.addPoint(map.scale, opacity);
  overlay.getProperty().setScalarOpacity(0, curve);
  viewport.render();
}

/** What is measured, one step each. */
globalThis.bench = {
  async map() {
    await imageLoader.loadAndCacheImage(map.imageId);
    viewport.addImages([{ imageId: map.imageId, actorUID: "map", callback: ({ imageActor }) => (overlay = imageActor) }]);
    const colours = vtkColorTransferFunction.newInstance();
    for (const [at, ...rgb] of map.colours) colours.addRGBPoint(at * map.scale, ...rgb);
    overlay.getProperty().setRGBTransferFunction(0, colours);
    overlay.getProperty().setInterpolationTypeToLinear();
    // Otherwise the map goes through a window of its own, 255 wide, and nothing is seen.
    overlay.getProperty().setUseLookupTableScalarRange(true);
    fade(0.6);
  },
  window: (step) => {
    viewport.setProperties({ voiRange: range(step) });
    viewport.render();
  },
  opacity: (step) => fade(step % 2 ? 0.4 : 0.6),
  toggle: (step) => {
    overlay.setVisibility(step % 2 === 1);
    viewport.render();
  },
  load: () => Promise.all(stack.map((imageId) => imageLoader.loadAndCacheImage(imageId))),
  slice: (step) => viewport.setImageIdIndex(step % stack.length),
  read: () => element.querySelector("canvas").getContext("2d").getImageData(0, 0, 1, 1),
};
