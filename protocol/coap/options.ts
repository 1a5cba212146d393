/** Option numbers and their rules (RFC 7252 §5.4, §5.10; RFC 7641 §2; RFC 7959 §2; RFC 8768; RFC 9175; RFC 7967). */

export const OptionNumber = {
  ifMatch: 1,
  uriHost: 3,
  etag: 4,
  ifNoneMatch: 5,
  observe: 6,
  uriPort: 7,
  locationPath: 8,
  uriPath: 11,
  contentFormat: 12,
  maxAge: 14,
  uriQuery: 15,
  hopLimit: 16,
  accept: 17,
  locationQuery: 20,
  block2: 23,
  block1: 27,
  size2: 28,
  proxyUri: 35,
  proxyScheme: 39,
  size1: 60,
  echo: 252,
  noResponse: 258,
  requestTag: 292,
} as const;

export interface OptionRule {
  readonly number: number;
  readonly name: string;
  readonly repeatable: boolean;
  readonly format: "empty" | "uint" | "string" | "opaque";
  /** Length of the value, bytes. */
  readonly least: number;
  readonly most: number;
}

/** RFC 7252 §5.10 table 4, with the later registrations this endpoint reads. Critical is an odd number (§5.4.1). */
export const optionRules: readonly OptionRule[] = [
  { number: 1, name: "If-Match", repeatable: true, format: "opaque", least: 0, most: 8 },
  { number: 3, name: "Uri-Host", repeatable: false, format: "string", least: 1, most: 255 },
  { number: 4, name: "ETag", repeatable: true, format: "opaque", least: 1, most: 8 },
  { number: 5, name: "If-None-Match", repeatable: false, format: "empty", least: 0, most: 0 },
  { number: 6, name: "Observe", repeatable: false, format: "uint", least: 0, most: 3 },
  { number: 7, name: "Uri-Port", repeatable: false, format: "uint", least: 0, most: 2 },
  { number: 8, name: "Location-Path", repeatable: true, format: "string", least: 0, most: 255 },
  { number: 11, name: "Uri-Path", repeatable: true, format: "string", least: 0, most: 255 },
  { number: 12, name: "Content-Format", repeatable: false, format: "uint", least: 0, most: 2 },
  { number: 14, name: "Max-Age", repeatable: false, format: "uint", least: 0, most: 4 },
  { number: 15, name: "Uri-Query", repeatable: true, format: "string", least: 0, most: 255 },
  { number: 16, name: "Hop-Limit", repeatable: false, format: "uint", least: 1, most: 1 },
  { number: 17, name: "Accept", repeatable: false, format: "uint", least: 0, most: 2 },
  { number: 20, name: "Location-Query", repeatable: true, format: "string", least: 0, most: 255 },
  { number: 23, name: "Block2", repeatable: false, format: "uint", least: 0, most: 3 },
  { number: 27, name: "Block1", repeatable: false, format: "uint", least: 0, most: 3 },
  { number: 28, name: "Size2", repeatable: false, format: "uint", least: 0, most: 4 },
  { number: 35, name: "Proxy-Uri", repeatable: false, format: "string", least: 1, most: 1_034 },
  { number: 39, name: "Proxy-Scheme", repeatable: false, format: "string", least: 1, most: 255 },
  { number: 60, name: "Size1", repeatable: false, format: "uint", least: 0, most: 4 },
  { number: 252, name: "Echo", repeatable: false, format: "opaque", least: 1, most: 40 },
  { number: 258, name: "No-Response", repeatable: false, format: "uint", least: 0, most: 1 },
  { number: 292, name: "Request-Tag", repeatable: true, format: "opaque", least: 0, most: 8 },
];

const rulesByNumber: readonly (OptionRule | undefined)[] = Array.from({ length: OptionNumber.requestTag + 1 }, (_, number) =>
  optionRules.find((rule) => rule.number === number),
);

export function findOptionRule(number: number): OptionRule | undefined {
  return rulesByNumber[number];
}

/** RFC 7252 §5.4.1: odd numbers are critical. */
export function isCritical(number: number): boolean {
  return (number & 1) === 1;
}

/**
 * Whether one occurrence counts as recognized: its number is known, its length is allowed (RFC 7252 §5.4.3)
 * and it is not a second one of an option that may stand only once (§5.4.5).
 */
export function isRecognized(number: number, length: number, repeats: boolean): boolean {
  const rule = findOptionRule(number);
  if (rule === undefined) return false;
  return length >= rule.least && length <= rule.most && (rule.repeatable || !repeats);
}

/** `option 12 (Content-Format): …` needs the name where there is one. */
export function describeOption(number: number): string {
  const rule = findOptionRule(number);
  return rule === undefined ? `option ${number}` : `option ${number} (${rule.name})`;
}

/** An unsigned integer in the fewest bytes, zero in none (RFC 7252 §3.2). */
export function encodeUint(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw new RangeError(`${value} is no unsigned 32-bit integer`);
  const length = uintLength(value);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = value >>> (8 * (length - 1 - i));
  return bytes;
}

export function uintLength(value: number): number {
  if (value === 0) return 0;
  if (value <= 0xff) return 1;
  if (value <= 0xffff) return 2;
  return value <= 0xffffff ? 3 : 4;
}

/** Leading zero bytes are allowed when reading (RFC 7252 §3.2). */
export function decodeUint(bytes: Uint8Array): number {
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value;
}
