/** Configurations from one JSON file, for the bootstrap server as a process of its own: `{ "<endpoint name>": { … }, … }`. */
import { readFileSync } from "node:fs";
import type { BootstrapConfig, BootstrapConfigs } from "./bootstrap-config.ts";
import { type ConfigFault, escapePointer, readBootstrapConfig } from "./config-reader.ts";

export type ConfigFileOutcome =
  | { readonly ok: true; readonly configs: BootstrapConfigs; readonly count: number }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] };

/** Reads the file once. A file that cannot be read throws the system's error. */
export function openConfigFile(path: string): ConfigFileOutcome {
  return readConfigFile(readFileSync(path, "utf8"));
}

export function readConfigFile(text: string): ConfigFileOutcome {
  const json = findJson(text);
  if (!json.ok) return { ok: false, faults: [{ pointer: "", message: json.message }] };
  if (typeof json.value !== "object" || json.value === null || Array.isArray(json.value))
    return { ok: false, faults: [{ pointer: "", message: "expected an object with one configuration per endpoint name" }] };
  const configs = new Map<string, BootstrapConfig>();
  const faults: ConfigFault[] = [];
  for (const [endpointName, entry] of Object.entries(json.value)) {
    const outcome = readBootstrapConfig(entry, `/${escapePointer(endpointName)}`);
    if (outcome.ok) configs.set(endpointName, outcome.config);
    else faults.push(...outcome.faults);
  }
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, configs: { find: async (endpointName) => configs.get(endpointName) }, count: configs.size };
}

function findJson(text: string): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string } {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    // JSON.parse has one failure, and quotes the text around it, which may be a key.
    const where = error instanceof Error ? (/position \d+(?: \(line \d+ column \d+\))?/.exec(error.message)?.[0] ?? "") : "";
    return { ok: false, message: `not JSON${where === "" ? "" : `, at ${where}`}` };
  }
}
