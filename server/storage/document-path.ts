/** Dotted paths into documents, read as MongoDB reads them; arrays on the way are left to the caller. */

/** What a path finds before it meets an array with a name to look up in it. */
export type Reached = { readonly kind: "value"; readonly value: unknown } | { readonly kind: "array-on-the-way" };

const splitPaths = new Map<string, readonly string[]>();
/** Paths come from code, apart from a few with resource names in them. */
const rememberedPaths = 2_000;

export function segmentsOf(path: string): readonly string[] {
  const known = splitPaths.get(path);
  if (known !== undefined) return known;
  const segments = path.split(".");
  if (splitPaths.size < rememberedPaths) splitPaths.set(path, segments);
  return segments;
}

/** Own properties only: a document may have fields called `constructor` or `__proto__`. */
export function ownField(container: object, name: string): unknown {
  return Object.hasOwn(container, name) ? (container as { readonly [name: string]: unknown })[name] : undefined;
}

export function isRecord(value: unknown): value is { [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isScalar(value: unknown): value is string | number | boolean | null {
  return value === null || (typeof value !== "object" && value !== undefined);
}

export function isArrayIndex(segment: string): boolean {
  return /^(0|[1-9]\d{0,6})$/.test(segment);
}

/** The value at a path; undefined when it is missing. */
export function reach(document: unknown, path: string): Reached {
  let value = document;
  for (const segment of segmentsOf(path)) {
    if (Array.isArray(value)) return { kind: "array-on-the-way" };
    if (!isRecord(value)) return { kind: "value", value: undefined };
    value = ownField(value, segment);
  }
  return { kind: "value", value };
}

/**
 * The order of strings on both engines and in SQLite: by code point (as UTF-8 bytes order it), where JavaScript's own
 * comparison puts everything above U+FFFF before U+E000.
 */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    // A surrogate is half of a code point above U+FFFF, so above every unit that is none.
    if (isSurrogate(left) !== isSurrogate(right)) return isSurrogate(left) ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;
