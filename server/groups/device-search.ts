/** Devices that fit a filter, by endpoint name: over what is kept of each for groups, and what its entry says. */

import { type Device, type Devices, neverSeen } from "../devices/device.ts";
import type { DeviceSearch } from "../devices/device-http.ts";
import { type Condition, type Fields, type FieldValues, fieldsIn, isFitting } from "../filter/filter.ts";
import { traitFields, traitValues } from "./group.ts";
import type { TraitStore } from "./trait-store.ts";

/** What a filter of devices may compare: the traits, and fields of the entry. */
const entryFields = { createdAt: "time", lastSeenAt: "time", state: "text" } as const satisfies Fields;
export const deviceFields: Fields = { ...traitFields, ...entryFields };

export interface FoundDevices {
  readonly devices: readonly Device[];
  /** Where to go on; null: that was all. */
  readonly next: string | null;
}

export interface SearchDeps {
  readonly traits: TraitStore;
  readonly devices: Pick<Devices, "findAll">;
}

export interface SearchPage {
  readonly limit: number;
  /** Default from the beginning. */
  readonly after?: string;
}

/** Devices of one request that are looked at: what no index narrows must not keep the store busy for minutes. */
const mostLookedAt = 20_000;

/** As the door of devices asks for it. */
export function deviceSearch(groups: { search: DeviceSearch["find"] }): DeviceSearch {
  return { fields: deviceFields, find: (condition, page) => groups.search(condition, page) };
}

/** A page may be shorter than asked for, or empty, though more follow. */
export async function searchDevices(
  { traits, devices }: SearchDeps,
  condition: Condition,
  { limit, after = "" }: SearchPage,
  mostLooks = mostLookedAt,
): Promise<FoundDevices> {
  const asksEntry = [...fieldsIn(condition)].some((field) => field in entryFields);
  const found: Device[] = [];
  let from = after;
  for (let looked = 0; looked < mostLooks; ) {
    const page = await traits.search(condition, from);
    const last = page.at(-1);
    if (last === undefined) return { devices: found, next: null };
    looked += page.length;
    const candidates = asksEntry ? page : page.filter((each) => isFitting(condition, traitValues(each)));
    const entries = new Map((await devices.findAll(candidates.map(({ _id }) => _id))).map((device) => [device._id, device]));
    for (const each of candidates) {
      const device = entries.get(each._id);
      if (device === undefined || !isFitting(condition, { ...traitValues(each), ...entryValues(device) })) continue;
      found.push(device);
      if (found.length === limit) return { devices: found, next: device._id };
    }
    from = last._id;
  }
  return { devices: found, next: from };
}

/** Never seen is not known. */
function entryValues({ createdAt, lastSeenAt, state }: Device): FieldValues {
  return { createdAt, lastSeenAt: lastSeenAt === neverSeen ? null : lastSeenAt, state: state ?? "known" };
}
