/** A reading's source where no station is: whoever holds an explanation is asked for its parts, by name. */

import type { Source } from "../source";

/** The part of this name, as bytes; JSON as UTF-8. */
export type Ask = (name: string) => Promise<ArrayBuffer>;

/** The study, the image and its slices, the explanations and their values, as camlucida/notebook/contents.py names them. */
export function asking(ask: Ask): Source {
  const json = async <T>(name: string): Promise<T> => JSON.parse(new TextDecoder().decode(await ask(name)));
  return {
    study: () => json("study"),
    samePatient: async () => [],
    imageHeader: () => json("image"),
    pixels: (_key, slice) => ask(`pixels/${slice ?? 0}`),
    explanation: (key) => json(`explanation/${key}`),
    values: async (key) => new Float32Array(await ask(`values/${key}`)),
  };
}
