// `npm run check`: formatting, lint with the import-direction and platform rules, types.
import { join } from "node:path";
import { build, prepare, root, run } from "./prepare.mjs";

prepare();
run(process.execPath, [join(root, "node_modules", "@biomejs", "biome", "bin", "biome"), "check", "--error-on-warnings", root]);
build({ force: true });
