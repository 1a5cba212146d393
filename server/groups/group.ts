/** Groups of devices: a list of endpoint names, or whoever fits a query right now. Pure. */
import { type Condition, type Fields, type FieldValues, isFitting } from "../filter/filter.ts";
import { parseFilter } from "../filter/filter-parser.ts";
import type { StoredDocument } from "../storage/collection.ts";

export interface Group extends StoredDocument {
  /** A ULID. */
  readonly _id: string;
  /** Unique. */
  readonly name: string;
  /** Null: a static group, its members are listed. */
  readonly query: GroupQuery | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly rev: number;
}

/** All that is named must fit; nothing named: every device. */
export interface GroupQuery {
  readonly endpointPrefix?: string;
  readonly manufacturer?: string;
  readonly modelNumber?: string;
  readonly firmwareVersion?: string;
  readonly lwm2mVersion?: string;
  readonly binding?: string;
  readonly queueMode?: boolean;
  /** The device has them all. */
  readonly tags?: readonly string[];
  /** A filter (`filter/filter-parser.ts`) over `traitFields`. */
  readonly q?: string;
}

/** What a query can ask of a device, in one document so that one index leads to it. */
export interface DeviceTraits extends StoredDocument {
  /** The endpoint name. */
  readonly _id: string;
  /** As it registered last, also when that is over; null: it never did. */
  readonly lwm2mVersion: string | null;
  readonly binding: string | null;
  readonly queueMode: boolean | null;
  readonly lifetimeSeconds: number | null;
  /** As last read or reported; null: not known. */
  readonly manufacturer: string | null;
  readonly modelNumber: string | null;
  readonly firmwareVersion: string | null;
  readonly tags: readonly string[];
}

/** A store indexes scalars: each tag of a device has a field of its own. */
export const maxTags = 8;
export const tagFields: readonly string[] = Array.from({ length: maxTags }, (_, position) => `tag${position}`);

/** Traits compared as they are. */
export const plainTraits = ["manufacturer", "modelNumber", "firmwareVersion", "lwm2mVersion", "binding", "queueMode"] as const;

/** All that is learned of a device. */
export const learnedTraits = [...plainTraits, "lifetimeSeconds"] as const;

/** What a filter may compare; `endpoint` and `tags` beside what is learned. */
export const traitFields = {
  endpoint: "text",
  manufacturer: "text",
  modelNumber: "text",
  firmwareVersion: "text",
  lwm2mVersion: "text",
  binding: "text",
  queueMode: "boolean",
  lifetimeSeconds: "number",
  tags: "texts",
} as const satisfies Fields;

/** The resources of the Device object that traits come from (LwM2M Core 1.1 appendix E.4). */
export const traitPaths = { manufacturer: "/3/0/0", modelNumber: "/3/0/1", firmwareVersion: "/3/0/3" } as const;

export function fits(query: GroupQuery, traits: DeviceTraits): boolean {
  const { endpointPrefix = "", tags = [] } = query;
  if (!traits._id.startsWith(endpointPrefix)) return false;
  if (plainTraits.some((name) => query[name] !== undefined && query[name] !== traits[name])) return false;
  if (!tags.every((tag) => traits.tags.includes(tag))) return false;
  return query.q === undefined || isFitting(conditionOf(query.q), traitValues(traits));
}

export function traitValues(traits: DeviceTraits): FieldValues {
  return { ...traits, endpoint: traits._id };
}

/** Filters that were read lately: the same few groups are asked for each device. */
const lately = new Map<string, Condition>();
const rememberedConditions = 100;

/** Of a query that was checked when it came in. */
export function conditionOf(q: string): Condition {
  const known = lately.get(q);
  if (known !== undefined) return known;
  const reading = parseFilter(q, traitFields);
  if (!reading.ok) throw new Error(`a filter of a group is none: ${reading.fault.detail}`);
  if (lately.size >= rememberedConditions) lately.clear();
  lately.set(q, reading.condition);
  return reading.condition;
}

export function memberId(group: string, endpoint: string): string {
  return `${group}@${endpoint}`;
}
