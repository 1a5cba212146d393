// Runs one of the command-line tools: `node scripts/run.mjs client-emulator/dist/device-main.js …`.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { prepare, root } from "./prepare.mjs";

const [tool, ...args] = process.argv.slice(2);
if (tool === undefined) {
  console.error("usage: node scripts/run.mjs <compiled file> [arguments]");
  process.exit(2);
}
prepare();
process.argv = [process.argv[0], resolve(root, tool), ...args];
await import(pathToFileURL(process.argv[1]));
