/** What the emulated flash keeps between two runs: one small JSON file, replaced whole, readable by its owner alone. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { StoredDevice } from "../client-options.ts";

/** The keys of the device are in it. */
const ownerOnly = 0o600;

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
  // The mode holds for a file that is made, not for one that is there.
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${JSON.stringify(state)}\n`, { mode: ownerOnly, flag: "wx" });
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
  if (typeof state !== "object" || state === null || Array.isArray(state)) return false;
  for (const [name, value] of Object.entries(state)) {
    const fits = name === "accounts" ? Array.isArray(value) && value.every(isStoredValue) : typeof value === "string";
    if (!fits) return false;
  }
  return true;
}

function isStoredValue(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && typeof value[1] !== "object";
}
