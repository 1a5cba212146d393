/**
 * The RangeEnumeration of the registry (LwM2M Core 1.1 appendix D.1): inclusive, of the value for numbers and of the length in
 * bytes for strings and opaque. The registry writes it in many hands: `0..100`, `0-4`, `1...15`, `[1:4]`, `0,3..7`, `0; 3.8..20.5`,
 * `-30..-120`, `10 or 26 Bytes`, `16-32-48 bytes`, `1: normal 2: remote`. What cannot be read for certain is not enforced.
 */
import type { ResourceType } from "@lwm2m/protocol/lwm2m/value";

/** Bounds are bigint where the text is an integer, so that 64 bits stay exact; `<` compares the two kinds exactly. */
export interface Interval {
  readonly min: bigint | number;
  readonly max: bigint | number;
}

export type Range = readonly Interval[];

/** Undefined when the text is empty, prose, or bounds nothing of this type. */
export function findRange(text: string, type: ResourceType | undefined): Range | undefined {
  if (text.length > maxCharacters) return undefined;
  switch (type) {
    case "integer":
    case "unsigned":
    case "float":
    case "time":
      return numberRange(text.trim());
    case "string":
    case "opaque":
      return lengthRange(text.trim());
    case "boolean":
    case "objlnk":
    case "corelnk":
    case undefined:
      return undefined;
  }
}

/** `0..100`, `0,3..7`: what `findRange` reads back to the same range. */
export function formatRange(range: Range): string {
  return range.map(({ min, max }) => (min === max ? `${min}` : `${min}..${max}`)).join(",");
}

export function isWithin(range: Range, value: bigint | number): boolean {
  return range.some(({ min, max }) => value >= min && value <= max);
}

/** The longest published one has 76; the expressions below take time that grows with the square of the length. */
const maxCharacters = 1_000;

const number = String.raw`[-+]?\d{1,20}(?:\.\d{1,20})?`;
const loneNumber = new RegExp(`^${number}$`);
const interval = new RegExp(String.raw`^\[?\s*(${number})\s*(?:\.{2,3}|:|-)\s*(${number})\s*\]?$`);
const labelled = new RegExp(String.raw`(?:^|\s)(${number}):\s`, "g");
const lengthUnit = /\s*(?:bytes?|characters|chars)$/i;

function numberRange(text: string): Range | undefined {
  const range = intervalsIn(text) ?? labelsIn(text);
  // A number on its own ("255", "2 Instances") means a size or a maximum as often as a value.
  const first = range?.[0];
  return range?.length === 1 && first?.min === first?.max ? undefined : range;
}

function lengthRange(text: string): Range | undefined {
  const bare = text.replace(lengthUnit, "");
  const list = /^\d+(?:-\d+){2,}$/.test(bare) ? bare.replaceAll("-", ",") : bare;
  const range = intervalsIn(list);
  if (range?.some(({ min }) => min < 0)) return undefined;
  const first = range?.[0];
  // A length on its own is a maximum: the registry prints it for fixed and for longest lengths alike.
  return range?.length === 1 && first !== undefined && first.min === first.max ? [{ min: 0n, max: first.max }] : range;
}

function intervalsIn(text: string): Range | undefined {
  if (text === "") return undefined;
  const range: Interval[] = [];
  for (const part of text.split(/[,;]|\bor\b/)) {
    const found = intervalIn(part.trim());
    if (found === undefined) return undefined;
    range.push(found);
  }
  return range;
}

function intervalIn(part: string): Interval | undefined {
  if (loneNumber.test(part)) return { min: bound(part), max: bound(part) };
  const match = interval.exec(part);
  const [, first, last] = match ?? [];
  if (first === undefined || last === undefined) return undefined;
  const [a, b] = [bound(first), bound(last)];
  return a <= b ? { min: a, max: b } : { min: b, max: a };
}

/** `0: disabled 1: normal 255: silent`: the numbers are the enumeration. */
function labelsIn(text: string): Range | undefined {
  if (!new RegExp(`^${number}:\\s`).test(text)) return undefined;
  return [...text.matchAll(labelled)].map(([, label]) => ({ min: bound(label ?? ""), max: bound(label ?? "") }));
}

function bound(text: string): bigint | number {
  return text.includes(".") ? Number(text) : BigInt(text.replace("+", ""));
}
