/** Random CBOR items and JSON texts, and damage to them, by seed: what both readers are given. */
import type { SeededRandom } from "@lwm2m/protocol/testing/seeded-random";

const deepest = 4;
const mostItems = 4;
const indefinite = 0x1f;
const breakByte = 0xff;
/** Known to say nothing that changes the content. */
const harmlessTags = [21, 22, 23, 55_799];

/** One well-formed item, its lengths and integers in any width, definite or not. */
export function randomCbor(random: SeededRandom, depth = 0): number[] {
  const kind = random.integer(depth < deepest ? 9 : 6);
  switch (kind) {
    case 0:
    case 1:
      return head(random, kind, randomWord(random));
    case 2:
      return randomString(random, 2, () => [...random.bytes(random.integer(40))]);
    case 3:
      return randomString(random, 3, () => [...new TextEncoder().encode(randomText(random))]);
    case 4:
      return random.pick([[0xf4], [0xf5], [0xf6], [0xf7]]);
    case 5:
      return randomFloat(random);
    case 6:
      return container(random, 4, () => randomCbor(random, depth + 1));
    case 7:
      return randomMap(random, depth);
    default:
      return random.fraction() < 0.5
        ? [...head(random, 6, BigInt(random.pick(harmlessTags))), ...randomScalar(random)]
        : [0xc2 + random.integer(2), ...randomString(random, 2, () => [...random.bytes(random.integer(10))], false)];
  }
}

function randomScalar(random: SeededRandom): number[] {
  return random.pick([head(random, 0, randomWord(random)), randomFloat(random), [0xf5]]);
}

function randomMap(random: SeededRandom, depth: number): number[] {
  let label = 0;
  // Every key once: what a repeated one means is not laid down (RFC 8949 §5.6).
  return container(random, 5, () => {
    label++;
    const key = random.pick([head(random, 0, BigInt(label)), head(random, 1, BigInt(label)), [0x62, 0x6b, 0x40 + label]]);
    return [...key, ...randomCbor(random, depth + 1)];
  });
}

function container(random: SeededRandom, major: number, entry: () => number[]): number[] {
  const count = random.integer(mostItems);
  const entries = Array.from({ length: count }, entry).flat();
  return random.fraction() < 0.3 ? [(major << 5) | indefinite, ...entries, breakByte] : [...head(random, major, BigInt(count)), ...entries];
}

function randomString(random: SeededRandom, major: number, chunk: () => number[], mayBreak = true): number[] {
  const whole = (): number[] => {
    const bytes = chunk();
    return [...head(random, major, BigInt(bytes.length)), ...bytes];
  };
  if (!mayBreak || random.fraction() < 0.7) return whole();
  return [(major << 5) | indefinite, ...Array.from({ length: random.integer(4) }, whole).flat(), breakByte];
}

function randomFloat(random: SeededRandom): number[] {
  const length = random.pick([2, 4, 8]);
  return [{ 2: 0xf9, 4: 0xfa, 8: 0xfb }[length] ?? 0xf9, ...random.bytes(length)];
}

function randomWord(random: SeededRandom): bigint {
  return new DataView(random.bytes(8).buffer).getBigUint64(0) >> BigInt(random.integer(64));
}

function randomText(random: SeededRandom): string {
  return Array.from({ length: random.integer(12) }, () =>
    random.pick(["a", "Z", "0", " ", '"', "\\", "ü", "水", "\u{10151}", "\n", "/"]),
  ).join("");
}

/** The argument in its shortest width or, as some devices have it, in a wider one. */
function head(random: SeededRandom, major: number, argument: bigint): number[] {
  const shortest = argument < 24n ? 0 : argument < 256n ? 1 : argument < 65_536n ? 2 : argument < 2n ** 32n ? 4 : 8;
  const width = random.fraction() < 0.8 ? shortest : random.pick([1, 2, 4, 8].filter((bytes) => bytes >= shortest));
  const first = { 0: Number(argument), 1: 24, 2: 25, 4: 26, 8: 27 }[width] ?? 27;
  const rest = Array.from({ length: width }, (_, i) => Number((argument >> BigInt(8 * (width - 1 - i))) & 0xffn));
  return [(major << 5) | (width === 0 ? Number(argument) : first), ...rest];
}

/** Bytes changed, cut off, repeated or put in between. */
export function damaged(random: SeededRandom, bytes: readonly number[]): number[] {
  const broken = [...bytes];
  for (let changes = random.fraction() < 0.7 ? 1 : 2; changes > 0; changes--) {
    const at = random.integer(broken.length + 1);
    const shape = random.integer(4);
    if (shape === 0) broken[Math.min(at, Math.max(0, broken.length - 1))] = random.integer(256);
    else if (shape === 1) broken.splice(at);
    else if (shape === 2) broken.splice(at, 0, random.integer(256));
    else broken.splice(at, 0, ...broken.slice(at, at + 1 + random.integer(6)));
  }
  return broken;
}

/** Legal number notations, and some that are not. */
export function randomNumber(random: SeededRandom): string {
  const digits = (most: number): string => Array.from({ length: 1 + random.integer(most) }, () => random.integer(10)).join("");
  const whole = random.fraction() < 0.3 ? "0" : digits(20).replace(/^0+(?=.)/, "");
  const fraction = random.fraction() < 0.5 ? `.${digits(20)}` : "";
  const exponent = random.fraction() < 0.3 ? `${random.pick(["e", "E"])}${random.pick(["", "+", "-"])}${random.integer(30)}` : "";
  return `${random.pick(["", "-"])}${whole}${fraction}${exponent}`;
}

export function randomJson(random: SeededRandom, depth = 0): string {
  const space = random.pick(["", "", " ", "\n", "\t"]);
  const items = (entry: (i: number) => string): string =>
    Array.from({ length: random.integer(mostItems) }, (_, i) => entry(i)).join(`,${space}`);
  switch (random.integer(depth < deepest ? 6 : 4)) {
    case 0:
      return randomNumber(random);
    case 1:
      return jsonString(random);
    case 2:
      return random.pick(["true", "false", "null"]);
    case 3:
      return random.pick(["0", "-0", "1.5e-3", "18446744073709551615", "-9223372036854775808"]);
    case 4:
      return `[${space}${items(() => randomJson(random, depth + 1))}${space}]`;
    default:
      return `{${space}${items((i) => `"k${i}"${space}:${space}${randomJson(random, depth + 1)}`)}${space}}`;
  }
}

function jsonString(random: SeededRandom): string {
  const escapes = ["\\n", "\\u00e4", "\\ud83d\\ude00", "\\/", '\\"', "\\\\", "\\b"];
  return `${JSON.stringify(randomText(random)).slice(0, -1)}${random.fraction() < 0.3 ? random.pick(escapes) : ""}"`;
}
