/** Object versions: their order, and which one a registration means that names none (LwM2M Core 1.1 §7.2). */

/** `"1.10"` as its two numbers; undefined when the text is no `major.minor`. */
export function findVersion(text: string): { readonly major: number; readonly minor: number } | undefined {
  const match = /^(\d{1,5})\.(\d{1,5})$/.exec(text);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/** Older before newer; text that is no version sorts first. */
export function compareVersions(a: string, b: string): number {
  const left = findVersion(a) ?? { major: -1, minor: -1 };
  const right = findVersion(b) ?? { major: -1, minor: -1 };
  return left.major - right.major || left.minor - right.minor;
}

/**
 * The objects of the enabler itself may leave `ver` out while they have the version printed in that release; every other
 * object without `ver` is 1.0 (LwM2M Core 1.1 §7.2.2 and the object list of appendix E of each release).
 */
const enablerVersions: Readonly<Record<string, ReadonlyMap<number, string>>> = {
  "1.1": new Map([
    [0, "1.1"],
    [1, "1.1"],
    [3, "1.1"],
    [4, "1.2"],
  ]),
  "1.2": new Map([
    [0, "1.2"],
    [1, "1.2"],
    [2, "1.1"],
    [3, "1.2"],
    [4, "1.3"],
    [5, "1.1"],
    [21, "2.0"],
  ]),
};

/** The version of an object that a client of this enabler release registered without `ver`. */
export function impliedVersion(objectId: number, enablerVersion: string): string {
  return enablerVersions[enablerVersion]?.get(objectId) ?? "1.0";
}
