// `npm run fleet -- …`: light devices, or complete ones with `--complete` or a coaps server.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { prepare, root } from "./prepare.mjs";

const args = process.argv.slice(2);
const complete = args.includes("--complete") || args.some((arg) => /^(--server=)?coaps:/i.test(arg));
prepare();
const tool = join(root, "client-emulator", "dist", complete ? "fleet-main.js" : "light-fleet-main.js");
process.argv = [process.argv[0], tool, ...args.filter((arg) => arg !== "--complete")];
await import(pathToFileURL(tool));
