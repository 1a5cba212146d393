// `npm run build`: installs when needed, then compiles whatever changed.
import { prepare } from "./prepare.mjs";

prepare();
