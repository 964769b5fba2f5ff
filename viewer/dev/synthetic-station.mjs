/**
 * A station of synthetic images for `npm run dev`: no camlucida server, no patient, no model.
 * It answers the same addresses as src/camlucida/web with shapes made of Gaussians.
 */

const FINDINGS = ["Pneumothorax", "Effusion", "Consolidation", "Nodule", "Cardiomegaly", "No support"];
const PROBABILITIES = [0.94, 0.31, 0.62, 0.08, 0.02, 0.71];
const OPERATING = [0.5, 0.4, 0.5, 0.35, 0.5, null];

const gauss = (x, y, cx, cy, s) => Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * s * s));

function noise(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

/** A chest-like 12-bit picture, rows × columns. */
function chest(rows, columns, seed) {
  const random = noise(seed);
  const values = new Uint16Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      const [y, x] = [r / rows, c / columns];
      const lungs = gauss(x, y * 0.8, 0.3, 0.36, 0.12) + gauss(x, y * 0.8, 0.7, 0.36, 0.12);
      const heart = gauss(x, y, 0.56, 0.62, 0.13);
      const ribs = 0.06 * Math.sin(y * 60 + 9 * Math.abs(x - 0.5));
      const value = 0.62 - 0.5 * lungs + 0.35 * heart + ribs + 0.02 * random();
      values[r * columns + c] = Math.min(4095, Math.max(0, value * 4095));
    }
  return values;
}

/** A CT-like volume in stored values (HU + 1024). */
function volume(slices, size) {
  const random = noise(7);
  const values = new Int16Array(slices * size * size);
  for (let s = 0, i = 0; s < slices; s++)
    for (let r = 0; r < size; r++)
      for (let c = 0; c < size; c++, i++) {
        const [z, y, x] = [s / slices - 0.5, r / size - 0.5, c / size - 0.5];
        const body = (x / 0.46) ** 2 + (y / 0.34) ** 2 < 1;
        const lung = ((Math.abs(x) - 0.2) / 0.14) ** 2 + (y / 0.22) ** 2 + (z / 0.7) ** 2 < 1;
        const nodule = (x + 0.22) ** 2 + (y - 0.03) ** 2 + (z - 0.1) ** 2 < 0.0016;
        values[i] = (body ? (lung ? (nodule ? 60 : -820) : 40) : -1000) + 40 * random() + 1024;
      }
  return values;
}

const window = (center, width, explanation = "", kind = "LINEAR") => ({
  center,
  width,
  function: kind,
  explanation,
});

function header(key, space, dtype, rest) {
  const [first] = rest.windows;
  return {
    key, space, dtype, colour: false, photometric: "MONOCHROME2", slope: 1, intercept: 0, unit: "", bits_stored: 12,
    voi_luts: [], default_window: first ?? window(2048, 4096), padding: null, spacing: null, pixel_to_patient: null, notes: [], ...rest,
  }; // biome-ignore format: a record
}

const IMAGES = {
  a1: {
    header: header("a1", [3000, 2500], "uint16", {
      windows: [window(2048, 3200, "Normal"), window(1600, 1800, "Lung")],
      spacing: [0.139, 0.139],
    }),
    pixels: () => chest(3000, 2500, 3),
  },
  a2: {
    header: header("a2", [1200, 1000], "uint16", {
      photometric: "MONOCHROME1",
      windows: [window(2048, 1600, "Sigmoid", "SIGMOID")],
      notes: ["The file gives Pixel Spacing 0\\0, so sizes in mm are not known."],
    }),
    pixels: () => chest(1200, 1000, 5),
  },
  b1: {
    header: header("b1", [40, 320, 320], "int16", {
      windows: [window(40, 400, "WINDOW1"), window(-600, 1500, "WINDOW2")],
      intercept: -1024,
      unit: "HU",
      spacing: [5, 1.1, 1.1],
    }),
    pixels: () => volume(40, 320),
  },
  p1: {
    header: header("p1", [1200, 1000], "uint16", { windows: [window(2048, 3200)], spacing: [0.35, 0.35] }),
    pixels: () => chest(1200, 1000, 11),
  },
  w1: {
    header: header("w1", [600, 500], "uint16", { windows: [window(2048, 3200)] }),
    pixels: () => chest(600, 500, 1),
  },
};

const EXPLANATIONS = {
  ea: { image: "a1", method: "grad-cam", native: [16, 16] },
  eb: { image: "a1", method: "score-cam", native: [16, 16], unit: "relative" },
  ec: { image: "a2", method: "grad-cam", native: [16, 16] },
  ed: { image: "b1", method: "grad-cam", native: [8, 8, 8] },
  ep: { image: "p1", method: "grad-cam", native: [16, 16] },
};

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

function map(finding, native) {
  const [slices, rows, columns] = [1, ...native].slice(-3);
  const values = [];
  for (let s = 0; s < slices; s++)
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const [y, x] = [(r + 0.5) / rows, (c + 0.5) / columns];
        const depth = slices > 1 ? gauss(s / slices, 0, 0.6, 0, 0.12) : 1;
        const blob = gauss(x, y, 0.28 + 0.1 * finding, 0.3 + 0.09 * finding, 0.09) * PROBABILITIES[finding];
        const against = 0.14 * gauss(x, y, 0.75, 0.3, 0.15);
        values.push(finding === 5 ? -0.02 * blob - against * 0.1 : depth * (0.7 * blob - against));
      }
  return values;
}

function explanation(key) {
  const { image, method, native, unit = "logit" } = EXPLANATIONS[key];
  const { space, spacing } = IMAGES[image].header;
  const maps = FINDINGS.map((_, i) => map(i, native));
  const logits = PROBABILITIES.map((p) => Math.log(p / (1 - p)));
  const bias = logits.map((l, i) => l - sum(maps[i]));
  const axes = native.map((n, i) => space[i] / n);
  return {
    prediction: {
      findings: FINDINGS.map((name, i) => ({ name, concept: null, operating_point: OPERATING[i] })),
      logits,
      probabilities: PROBABILITIES,
    },
    saliency_map: {
      findings: FINDINGS, logits, bias, unit, method, target_layer: "features.relu5",
      residual: logits.map(() => (unit === "relative" ? 1.2 : 0.000002)),
      evidence_for: maps.map((m) => sum(m.filter((v) => v > 0))),
      evidence_against: maps.map((m) => sum(m.filter((v) => v < 0))),
      supported: maps.map((m) => m.some((v) => v > 0)),
      geometry: {
        native_shape: native, pixel_shape: space, spacing, pixel_to_patient: null,
        native_to_pixel: [...axes.map((a, i) => [...axes.map((_, j) => (i === j ? a : 0)), a / 2 - 0.5]), [...native.map(() => 0), 1]],
      },
    },
    trust: {
      head: "linear", head_deviation: 2e-6,
      findings: FINDINGS.map(() => ({ residual_share: 0, focality: 0.08, border_share: 0.02, statement: "Faithful by theorem: the map and the bias add up to the logit." })),
      cautions: ["Trained on phantoms only; says nothing about patients."],
    },
    provenance: {
      pixel_digest: "1f".repeat(32), preprocessing_digest: "2e".repeat(32), model_digest: "3d4c".repeat(16),
      model_name: "synthetic-shapes", model_version: "1.0.0", method, method_variant: "", target_layer: "features.relu5",
      library_version: "0.1.0", torch_version: "2.13.0", precision: "float32", device: "cpu",
      created: "2026-01-05T10:12:00+00:00", seconds: 0.12,
    },
    scales: FINDINGS.map(() => 0.5),
  }; // biome-ignore format: a record
}

const row = (key, state = "explained", reason = null) => {
  const { method } = EXPLANATIONS[key] ?? { method: "grad-cam" };
  return { key, model: "synthetic-shapes", model_version: "1.0.0", method, state, reason };
};

const image = (key, modality, series_description, view_position, explanations) => {
  const { space, notes } = IMAGES[key].header;
  return { key, series_description, view_position, modality, space, frame_number: null, notes, explanations };
};

const study = (key, name, id, date, description, modality, phantom, images, state = "explained") => ({
  key, patient_name: name, patient_id: id, study_date: date, description, modality, phantom, images, state,
  findings: state === "explained" ? summaries() : [],
}); // biome-ignore format: a record

const summaries = () =>
  FINDINGS.map((name, i) => ({
    name,
    probability: PROBABILITIES[i],
    operating_point: OPERATING[i],
    reported: OPERATING[i] === null ? null : PROBABILITIES[i] >= OPERATING[i],
    model: "synthetic-shapes",
  })).sort((a, b) => b.probability - a.probability);

const STUDIES = [
  study("s1", "Phantom^Ada", "PH-0001", "20260105", "Chest PA and lateral", "DX", true, [
    image("a1", "DX", "Chest", "PA", [row("ea"), row("eb")]),
    image("a2", "DX", "Chest", "LL", [row("ec")]),
  ]),
  study("s0", "Phantom^Ada", "PH-0001", "20250611", "Chest PA", "DX", true, [image("p1", "DX", "Chest", "PA", [row("ep")])]),
  study("s2", "Phantom^Bo", "PH-0002", "20260104", "CT chest", "CT", true, [image("b1", "CT", "Chest 5.0", "", [row("ed")])]),
  study("s3", "Doe^Jane", "17", "20260103", "Chest AP portable", "CR", false, [image("w1", "CR", "Chest", "AP", [row("x1", "waiting")])], "waiting"),
  study("s4", "Roe^Richard", "18", "", "", "OT", false, [
    image("w1", "OT", "", "", [row("x2", "refused", "The model synthetic-shapes takes CR and DX; this image is OT.")]),
  ], "refused"),
]; // biome-ignore format: a table

const brief = (one) => ({
  ...one,
  images: one.images.length,
  findings: one.findings.slice(0, 3),
  flagged: one.key === "s2",
});

const values = (key) => new Float32Array(FINDINGS.flatMap((_, i) => map(i, EXPLANATIONS[key].native)));

function answer(path, slice) {
  const [kind, key, part] = path.split("/").slice(2);
  if (kind === "about") return { version: "synthetic", notice: "Synthetic images." };
  if (kind === "studies" && part) {
    const { patient_id } = STUDIES.find((one) => one.key === key);
    return { studies: STUDIES.filter((one) => one.key !== key && one.patient_id === patient_id) };
  }
  if (kind === "studies" && key === "choices") return { findings: FINDINGS, modalities: ["CR", "CT", "DX"] };
  if (kind === "studies" && key === "search") return { total: STUDIES.length, studies: STUDIES.map(brief) };
  if (kind === "studies") return STUDIES.find((one) => one.key === key);
  if (kind === "explanations") return part ? values(key) : explanation(key);
  if (!part) return IMAGES[key]?.header;
  const one = IMAGES[key];
  one.kept ??= one.pixels();
  const size = one.header.space.slice(-2).reduce((a, b) => a * b);
  return slice === null ? one.kept : one.kept.subarray(slice * size, (slice + 1) * size);
}

/** The vite plug-in that answers /api. */
export function syntheticStation() {
  return {
    name: "synthetic-station",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const url = new URL(request.url, "http://localhost");
        if (!url.pathname.startsWith("/api/")) return next();
        const slice = url.searchParams.get("slice");
        const body = answer(url.pathname, slice === null ? null : Number(slice));
        if (body === undefined) response.statusCode = 404;
        const binary = ArrayBuffer.isView(body);
        response.setHeader("content-type", binary ? "application/octet-stream" : "application/json");
        response.end(
          binary ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : JSON.stringify(body ?? {}),
        );
      });
    },
  };
}
