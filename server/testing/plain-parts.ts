/** Parts of a server that a test does not look at. */

import type { Log } from "../log.ts";
import { parseSettings, type Settings } from "../settings/config.ts";

export const quiet: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

export function usualSettings(): Settings {
  const parsed = parseSettings({}, []);
  if (parsed.kind !== "settings") throw new Error("the defaults of the settings do not fit");
  return parsed.settings;
}
