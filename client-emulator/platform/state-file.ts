/** What the emulated flash keeps between two runs: one small JSON file, replaced whole. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { StoredDevice } from "../client-options.ts";

/** Undefined when the file is not there; throws with one clear line when it is no state file. */
export function loadState(path: string): StoredDevice | undefined {
  const text = readIfPresent(path);
  if (text === undefined) return undefined;
  const state = parsed(text);
  if (!isStoredDevice(state)) throw new Error(`${path} is not a state file of the emulator`);
  return state;
}

export function saveState(path: string, state: StoredDevice): void {
  const fresh = `${path}.new`;
  writeFileSync(fresh, `${JSON.stringify(state)}\n`);
  renameSync(fresh, path);
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new Error(`cannot read the state file ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isStoredDevice(state: unknown): state is StoredDevice {
  if (typeof state !== "object" || state === null || !("firmwareName" in state) || !("firmwareVersion" in state)) return false;
  return typeof state.firmwareName === "string" && typeof state.firmwareVersion === "string";
}
