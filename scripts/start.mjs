// `npm start`: installs and builds what is not up to date, then the server takes over this process.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { prepare, root } from "./prepare.mjs";

prepare();
process.argv[1] = join(root, "server", "dist", "main.js");
await import(pathToFileURL(process.argv[1]));
