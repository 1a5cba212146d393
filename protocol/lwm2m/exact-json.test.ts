import assert from "node:assert/strict";
import { test } from "node:test";
import { type SeededRandom, seededRandom } from "../testing/seeded-random.ts";
import { isJsonArray, isJsonNumber, isJsonObject, type JsonNode, parseExactJson } from "./exact-json.ts";
import { Lwm2mFormatError } from "./format-error.ts";

const seed = 20_261_121;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** As `JSON.parse` would give it. */
function plain(node: JsonNode): unknown {
  if (isJsonNumber(node)) return Number(node.numberText);
  if (isJsonObject(node)) return Object.fromEntries([...node].map(([name, value]) => [name, plain(value)]));
  return node !== null && typeof node === "object" && isJsonArray(node) ? node.map(plain) : node;
}

/** The document, or undefined where it is refused. */
function findExact(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: plain(parseExactJson(bytesOf(text))) };
  } catch (error) {
    assert.ok(error instanceof Lwm2mFormatError, text);
    return undefined;
  }
}

function findLoose(text: string): { readonly value: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return { value };
  } catch {
    return undefined;
  }
}

function randomJson(random: SeededRandom, depth: number): string {
  const blank = (): string => random.pick(["", "", "", " ", "\n\t\r "]);
  const kind = random.integer(depth === 0 ? 5 : 8);
  const parts = (make: (i: number) => string): string =>
    Array.from({ length: random.integer(4) }, (_, i) => make(i)).join(`${blank()},${blank()}`);
  if (kind === 0) return random.pick(["true", "false", "null"]);
  if (kind <= 2) return random.pick(["0", "-0", "12", "-3.25", "1e3", "2.5E-3", "9007199254740993", "21.200000000000003", "0.0"]);
  if (kind <= 4) return JSON.stringify(random.pick(["", "n", "é", 'quote " in', "back\\slash", "\u0001", "\u{1f600}", "/3/0/9"]));
  if (kind <= 6)
    return `{${blank()}${parts((i) => `"${random.pick(["n", "vs", "é"])}${i}"${blank()}:${blank()}${randomJson(random, depth - 1)}`)}${blank()}}`;
  return `[${blank()}${parts(() => randomJson(random, depth - 1))}${blank()}]`;
}

test(`RFC 8259: random documents are read as JSON.parse reads them (seed ${seed})`, () => {
  const random = seededRandom(seed);
  for (let round = 0; round < 3_000; round++) {
    const text = ` ${randomJson(random, 6)} `;
    assert.deepEqual(findExact(text), findLoose(text), text);
  }
});

test(`RFC 8259: of damaged documents, what is read is what JSON.parse reads, and hardly anything else is refused (seed ${seed})`, () => {
  const random = seededRandom(seed);
  let read = 0;
  for (let round = 0; round < 10_000; round++) {
    const text = randomJson(random, 3);
    const at = random.integer(text.length + 1);
    const put = random.pick(["", "0", "-", ".", "e", ",", '"', "\\", "{", "]", "\u0001", "é", "+", "\\ud800"]);
    // A cut through a character makes no text: it is sent as UTF-8 has it.
    const damaged = Buffer.from(text.slice(0, at) + put + text.slice(at + random.integer(2))).toString();
    const exact = findExact(damaged);
    const loose = findLoose(damaged);
    if (exact !== undefined) {
      read++;
      assert.deepEqual(exact, loose, damaged);
    } else if (loose !== undefined) {
      // Lone surrogates and names that appear twice are the whole difference.
      assert.match(damaged, /\\ud800|n\d|vs\d|é\d|""/, damaged);
    }
  }
  assert.ok(read > 1_000, `${read} documents read`);
});

test("RFC 8259 §4: a name appears once, among few and among many", () => {
  for (const count of [2, 8, 9, 50]) {
    const members = Array.from({ length: count }, (_, i) => `"n${i}":${i}`);
    const object = parseExactJson(bytesOf(`{${members.join()}}`));
    assert.ok(isJsonObject(object));
    assert.equal(object.names.length, count);
    assert.deepEqual(plain(object.get(`n${count - 1}`) ?? null), count - 1);
    assert.equal(object.get("none"), undefined);
    for (const again of [members[0], members[count - 1]]) {
      assert.throws(() => parseExactJson(bytesOf(`{${[...members, again].join()}}`)), { code: "json", message: /appears twice/ });
    }
  }
});

test("bound: nesting to eight levels is read, deeper is refused", () => {
  const nested = (levels: number): Uint8Array => bytesOf("[".repeat(levels) + "]".repeat(levels));
  parseExactJson(nested(8));
  assert.throws(() => parseExactJson(nested(9)), { code: "limit" });
  assert.throws(() => parseExactJson(bytesOf("[".repeat(100_000))), { code: "limit" });
});
