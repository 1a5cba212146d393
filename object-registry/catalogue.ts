/**
 * The catalogue of every published object version, made by `npm run catalogue` and committed. Opening it reads one file and
 * finds where each version stands; a definition is built when it is first asked for.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeDefinition, keyOfLine } from "./catalogue-format.ts";
import type { ObjectRegistry } from "./definition.ts";
import { type LazyDefinition, lazyRegistry } from "./registry.ts";

/** Beside the source, not in `dist`: there is no copy step. */
export function cataloguePath(): string {
  const fromHere = /\/dist\/[^/]*$/.test(import.meta.url) ? "../catalogue/objects.jsonl" : "catalogue/objects.jsonl";
  return fileURLToPath(new URL(fromHere, import.meta.url));
}

export function openCatalogue(path: string = cataloguePath()): ObjectRegistry {
  return lazyRegistry(linesOf(readFileSync(path, "utf8")));
}

function* linesOf(text: string): Generator<LazyDefinition> {
  let start = 0;
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
    const [from, to] = [start, end];
    yield { ...keyOfLine(text.slice(from, from + 64)), define: () => decodeDefinition(text.slice(from, to)) };
    start = end + 1;
  }
}
