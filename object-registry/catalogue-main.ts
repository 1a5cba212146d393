/** `npm run catalogue -- --from DIR [--to FILE]`: writes the catalogue from a folder of OMA definition files, subfolders included. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { cataloguePath } from "./catalogue.ts";
import { buildCatalogue, type DefinitionFile } from "./catalogue-build.ts";
import { DdfFormatError } from "./ddf-format-error.ts";

const usage = "usage: npm run catalogue -- --from DIR [--to FILE]";

function run(): void {
  const { values } = parseArgs({ options: { from: { type: "string" }, to: { type: "string", default: cataloguePath() } } });
  if (values.from === undefined) throw new TypeError("--from is missing");
  const { text, count, skipped } = buildCatalogue(definitionFiles(values.from));
  mkdirSync(dirname(values.to), { recursive: true });
  writeFileSync(values.to, text);
  console.log(`${count} object versions, ${text.length} characters written to ${values.to}`);
  for (const file of skipped) console.log(`skipped ${file}: defines no object`);
}

function definitionFiles(folder: string): readonly DefinitionFile[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.toLowerCase().endsWith(".xml"))
    .sort()
    .map((name) => ({ name, xml: readFileSync(join(folder, name), "utf8") }));
}

try {
  run();
} catch (error) {
  // Arguments (TypeError), files (system errors carry a code) and definitions are the caller's; everything else is a bug.
  if (!(error instanceof Error) || !(error instanceof TypeError || error instanceof DdfFormatError || "syscall" in error)) throw error;
  console.error(`${error.message}${error instanceof TypeError ? `\n${usage}` : ""}`);
  process.exitCode = 1;
}
