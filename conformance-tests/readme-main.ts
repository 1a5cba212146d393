/** Runs the tour of the README and writes what it printed into the page: `node scripts/run.mjs conformance-tests/dist/readme-main.js`. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "./interop/platform/locations.ts";
import { runTour } from "./readme/platform/tour-run.ts";
import { parseTour, withOutputs } from "./readme/tour-script.ts";

const file = join(repositoryRoot, "README.md");
const readme = await readFile(file, "utf8");
await writeFile(file, withOutputs(readme, await runTour(parseTour(readme))));
console.log(`${file}: outputs renewed`);
