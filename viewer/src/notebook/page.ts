/** What a file of its own holds: each part in a script element, compressed by gzip, in Base64. */

import { texts } from "../texts";

export async function fromDocument(name: string): Promise<ArrayBuffer> {
  const part = document.getElementById(name);
  if (!part) throw new Error(texts.notebook.missing(name));
  const packed = Uint8Array.from(atob(part.textContent ?? ""), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(unpacked).arrayBuffer();
}
