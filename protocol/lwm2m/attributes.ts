/** Notification attributes (LwM2M Core 1.1 §5.1.2; edge, con and hqmax since 1.2): query text, rules, merging and inheritance. */
import { Lwm2mFormatError } from "./format-error.ts";
import type { LinkAttribute } from "./link-format.ts";
import { findDecimal, formatPlainDecimal } from "./number-text.ts";
import type { PathLevel } from "./path.ts";

export interface NotificationAttributes {
  /** Seconds. */
  readonly pmin?: number;
  /** Seconds; 0 is none. */
  readonly pmax?: number;
  readonly gt?: number;
  readonly lt?: number;
  readonly st?: number;
  /** Seconds. */
  readonly epmin?: number;
  /** Seconds. */
  readonly epmax?: number;
  /** 0: on falling to false, 1: on rising to true. */
  readonly edge?: 0 | 1;
  /** 0: non-confirmable, 1: confirmable notifications. */
  readonly con?: 0 | 1;
  /** Notifications kept while they cannot be sent. */
  readonly hqmax?: number;
}

export type AttributeName = keyof NotificationAttributes;

/** What a Write-Attributes asks: a value, or null for a name without one, which unsets it at that level. */
export type AttributeChanges = { readonly [Name in AttributeName]?: NonNullable<NotificationAttributes[Name]> | null };

/** Broken rules by name. */
export type AttributeProblem = "epmin>=epmax" | "lt>=gt" | "lt+2*st>=gt" | "st<=0" | "not-at-this-level";

interface Rule {
  readonly kind: "seconds" | "count" | "decimal" | "flag";
  /** gt, lt, st and edge compare one value, so they belong to resources. */
  readonly onResourceOnly: boolean;
  /** The first release that has it. */
  readonly since: "1.0" | "1.1" | "1.2";
}

/** LwM2M Core 1.2 §5.1.2, table 5.1.2.-2. */
const rules: Readonly<Record<AttributeName, Rule>> = {
  pmin: { kind: "seconds", onResourceOnly: false, since: "1.0" },
  pmax: { kind: "seconds", onResourceOnly: false, since: "1.0" },
  gt: { kind: "decimal", onResourceOnly: true, since: "1.0" },
  lt: { kind: "decimal", onResourceOnly: true, since: "1.0" },
  st: { kind: "decimal", onResourceOnly: true, since: "1.0" },
  epmin: { kind: "seconds", onResourceOnly: false, since: "1.1" },
  epmax: { kind: "seconds", onResourceOnly: false, since: "1.1" },
  edge: { kind: "flag", onResourceOnly: true, since: "1.2" },
  con: { kind: "flag", onResourceOnly: false, since: "1.2" },
  hqmax: { kind: "count", onResourceOnly: false, since: "1.2" },
};

export const attributeNames: readonly AttributeName[] = ["pmin", "pmax", "gt", "lt", "st", "epmin", "epmax", "edge", "con", "hqmax"];

/** Uri-Query items of a Write-Attributes, or of an Observe since 1.2. Throws `attribute` for an unknown name, a bad value or a repetition. */
export function parseAttributeQuery(query: readonly string[]): AttributeChanges {
  const changes = new Map<AttributeName, number | null>();
  for (const item of query) {
    const equals = item.indexOf("=");
    const name = equals === -1 ? item : item.slice(0, equals);
    if (!isAttributeName(name)) throw new Lwm2mFormatError("attribute", `no notification attribute: ${JSON.stringify(name.slice(0, 64))}`);
    if (changes.has(name)) throw new Lwm2mFormatError("attribute", `${name} is given twice`);
    changes.set(name, equals === -1 ? null : parseAttribute(name, item.slice(equals + 1)));
  }
  return changesOf(changes);
}

/** Uri-Query items: `pmin=10`, or `pmin` to unset. Without exponents: the grammar has none. */
export function encodeAttributeQuery(changes: AttributeChanges): readonly string[] {
  return attributeNames.flatMap((name) => {
    const value = changes[name];
    if (value === undefined) return [];
    return value === null ? [name] : [`${name}=${formatPlainDecimal(value)}`];
  });
}

/** The notification attributes among those of a Discover link; others and unreadable ones are left to the caller. */
export function attributesOfLink(attributes: readonly LinkAttribute[]): NotificationAttributes {
  const found = new Map<AttributeName, number | null>();
  for (const { name, value } of attributes) {
    if (!isAttributeName(name) || value === undefined || found.has(name)) continue;
    const parsed = findAttributeValue(name, value);
    if (parsed !== undefined) found.set(name, parsed);
  }
  return mergeAttributes({}, changesOf(found));
}

export function linkAttributes(attributes: NotificationAttributes): readonly LinkAttribute[] {
  return attributeNames.flatMap((name) => {
    const value = attributes[name];
    return value === undefined ? [] : [{ name, value: formatPlainDecimal(value) }];
  });
}

/** A value replaces, null removes, what is not named stays. */
export function mergeAttributes(current: NotificationAttributes, changes: AttributeChanges): NotificationAttributes {
  const merged = new Map<AttributeName, number | null>();
  for (const name of attributeNames) {
    const value = changes[name] === undefined ? current[name] : changes[name];
    if (value !== undefined && value !== null) merged.set(name, value);
  }
  return attributesOf(merged);
}

/** What holds at a path: its own level first, then each above it (LwM2M Core 1.1 §5.1.2: RI > R > OI > O). Innermost first. */
export function inheritAttributes(levels: readonly NotificationAttributes[]): NotificationAttributes {
  let inherited: NotificationAttributes = {};
  for (const level of levels.toReversed()) inherited = mergeAttributes(inherited, level);
  return inherited;
}

/**
 * The first rule that values set together break; such a Write-Attributes is answered 4.00 (LwM2M Core 1.1 §5.1.2). A pmax below pmin
 * breaks none: it has no effect.
 */
export function findAttributeProblem(attributes: NotificationAttributes, level?: PathLevel): AttributeProblem | undefined {
  const aboveResource = level === "object" || level === "instance";
  if (aboveResource && attributeNames.some((name) => rules[name].onResourceOnly && attributes[name] !== undefined))
    return "not-at-this-level";
  const { epmin, epmax, gt, lt, st } = attributes;
  if (epmin !== undefined && epmax !== undefined && epmin >= epmax) return "epmin>=epmax";
  if (st !== undefined && st <= 0) return "st<=0";
  if (lt === undefined || gt === undefined) return undefined;
  if (lt >= gt) return "lt>=gt";
  return st !== undefined && lt + 2 * st >= gt ? "lt+2*st>=gt" : undefined;
}

/**
 * What takes effect at a path, innermost level first (LwM2M Core 1.1 §5.1.2): without a pmax of 0 or below pmin, and without change
 * conditions or evaluation periods that several writes have brought into contradiction.
 */
export function effectiveAttributes(levels: readonly NotificationAttributes[]): NotificationAttributes {
  const { pmax, gt, lt, st, epmin, epmax, ...others } = inheritAttributes(levels);
  const conditions = attributesOf(definedOf({ gt, lt, st }));
  const evaluation = attributesOf(definedOf({ epmin, epmax }));
  return {
    ...others,
    ...(pmax === undefined || pmax === 0 || pmax < (others.pmin ?? 0) ? {} : { pmax }),
    ...(findAttributeProblem(conditions) === undefined ? conditions : {}),
    ...(findAttributeProblem(evaluation) === undefined ? evaluation : {}),
  };
}

export function isAttributeName(name: string): name is AttributeName {
  return Object.hasOwn(rules, name);
}

export function attributeSince(name: AttributeName): "1.0" | "1.1" | "1.2" {
  return rules[name].since;
}

function parseAttribute(name: AttributeName, text: string): number {
  const value = findAttributeValue(name, text);
  if (value === undefined)
    throw new Lwm2mFormatError("attribute", `${name}: expected ${rules[name].kind}, got ${JSON.stringify(text.slice(0, 64))}`);
  return value;
}

/** Signs and exponents are accepted although the grammar has none; `st=1.000000` comes from devices (eclipse-leshan/leshan#1427). */
function findAttributeValue(name: AttributeName, text: string): number | undefined {
  const value = findDecimal(text)?.float;
  if (value === undefined) return undefined;
  switch (rules[name].kind) {
    case "seconds":
    case "count":
      return Number.isInteger(value) && value >= 0 && value <= 0xffffffff ? value : undefined;
    case "flag":
      return value === 0 || value === 1 ? value : undefined;
    case "decimal":
      return value;
  }
}

function definedOf(attributes: { readonly [Name in AttributeName]?: number | undefined }): ReadonlyMap<AttributeName, number> {
  return new Map(attributeNames.flatMap((name) => (attributes[name] === undefined ? [] : [[name, attributes[name]] as const])));
}

function attributesOf(values: ReadonlyMap<AttributeName, number | null>): NotificationAttributes {
  return Object.fromEntries(values);
}

function changesOf(values: ReadonlyMap<AttributeName, number | null>): AttributeChanges {
  return Object.fromEntries(values);
}
