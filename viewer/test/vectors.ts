/** The vectors that pytest reads, too. */

const files = import.meta.glob<unknown[]>("../../tests/vectors/*.json", { eager: true, import: "cases" });

export function cases<Case>(name: string): Case[] {
  return files[`../../tests/vectors/${name}.json`] as Case[];
}
