/** Our readers and writer of CBOR, JSON and numbers against Python's: the same inputs, random and damaged by seed, in batches over a pipe. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CborReader } from "@lwm2m/protocol/cbor/cbor-reader";
import { CborWriter } from "@lwm2m/protocol/cbor/cbor-writer";
import { isJsonArray, isJsonNumber, isJsonObject, type JsonNode, parseExactJson } from "@lwm2m/protocol/lwm2m/exact-json";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import { findDecimal } from "@lwm2m/protocol/lwm2m/number-text";
import { type SeededRandom, seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { damaged, randomCbor, randomJson, randomNumber } from "./cbor2-inputs.ts";
import { objectOf, type PythonObject, PythonPeer } from "./platform/python-peer.ts";
import { interopSuite } from "./platform/suite.ts";

const seed = 20_261_121;
const inputsAtOnce = 4_000;
const hexOf = (bytes: ArrayLike<number>): string => Buffer.from(Array.from(bytes)).toString("hex");

/** A tree as `format_oracle.py` prints it. */
type Tree = readonly unknown[];

class Refused extends Error {}

/** What our reader makes of one item and nothing behind it. `sawTag`: another reader may make a date of it. */
function readCbor(bytes: Uint8Array): { readonly tree: Tree; readonly sawTag: boolean } {
  const reader = new CborReader(bytes, (message) => new Refused(message));
  const seen = { tag: false };
  const tree = cborTree(reader, seen);
  reader.finish();
  return { tree, sawTag: seen.tag };
}

function cborTree(reader: CborReader, seen: { tag: boolean }): Tree {
  switch (reader.kind()) {
    case "array": {
      const items: Tree[] = [];
      reader.eachItem(() => items.push(cborTree(reader, seen)));
      return ["array", items];
    }
    case "map": {
      const entries: unknown[] = [];
      reader.eachEntry(() => {
        const label = reader.readLabel();
        entries.push([typeof label === "number" ? ["integer", String(label)] : ["text", unitsOf(label)], cborTree(reader, seen)]);
      });
      return ["map", entries];
    }
    case "tag":
      seen.tag = true;
  }
  const scalar = reader.readScalar();
  switch (scalar.kind) {
    case "integer":
      return ["integer", String(scalar.value)];
    case "float":
      return ["float", floatBits(scalar.value)];
    case "text":
      return ["text", unitsOf(scalar.value)];
    case "bytes":
      return ["bytes", hexOf(scalar.value)];
    case "boolean":
      return ["boolean", scalar.value];
    case "null":
      return ["null"];
    default:
      return ["other", scalar.kind];
  }
}

function floatBits(value: number): string {
  if (Number.isNaN(value)) return "nan";
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setFloat64(0, value);
  return hexOf(new Uint8Array(bytes.buffer));
}

function unitsOf(text: string): string {
  return Buffer.from(text, "utf16le").swap16().toString("hex");
}

function jsonTree(node: JsonNode): Tree {
  if (node === null) return ["null"];
  if (typeof node === "boolean") return ["boolean", node];
  if (typeof node === "string") return ["text", unitsOf(node)];
  if (isJsonNumber(node)) return ["number", node.numberText];
  if (isJsonArray(node)) return ["array", node.map(jsonTree)];
  if (isJsonObject(node)) return ["map", [...node].map(([name, value]) => [unitsOf(name), jsonTree(value)])];
  throw new Error("a node of no kind");
}

/** Writes what a tree says, with our writer. */
function write(writer: CborWriter, tree: Tree): void {
  const [kind, value] = tree;
  const text = String(value);
  if (kind === "integer") writer.integer(BigInt(text));
  else if (kind === "float")
    writer.float(text === "nan" ? Number.NaN : new DataView(Uint8Array.from(Buffer.from(text, "hex")).buffer).getFloat64(0));
  else if (kind === "text") writer.text(Buffer.from(text, "hex").swap16().toString("utf16le"));
  else if (kind === "bytes") writer.bytes(Uint8Array.from(Buffer.from(text, "hex")));
  else if (kind === "boolean") writer.boolean(value === true);
  else if (kind === "null") writer.null();
  else {
    assert.ok(Array.isArray(value));
    if (kind === "array") writer.array(value.length);
    else writer.map(value.length);
    for (const item of kind === "array" ? value : value.flat(1)) write(writer, item);
  }
}

/** What bignums outside 64 bits cannot be written as again. */
function isWritable(tree: unknown): boolean {
  if (!Array.isArray(tree)) return true;
  if (tree[0] === "integer") return BigInt(String(tree[1])) < 2n ** 64n && BigInt(String(tree[1])) >= -(2n ** 64n);
  return tree.every(isWritable);
}

interopSuite("Python's cbor2 and json as oracles", ["python"], () => {
  let python: PythonPeer;
  before(async () => {
    python = await new PythonPeer("format_oracle.py").started();
  });
  after(() => python?.stop());

  async function read(kind: "cbor" | "json" | "numbers", inputs: readonly string[]): Promise<(PythonObject | null)[]> {
    const { results } = (await python.ask({ do: kind, inputs })).ok;
    assert.ok(Array.isArray(results) && results.length === inputs.length);
    return results.map((result: unknown) => (result === null ? null : objectOf(result)));
  }
  const generate = <T>(random: SeededRandom, one: (random: SeededRandom) => T): T[] =>
    Array.from({ length: inputsAtOnce }, () => one(random));

  test("RFC 8949: well-formed items in any width are read alike; what cbor2 writes of them we read, what we write it reads", async () => {
    const inputs = generate(seededRandom(seed), (random) => Uint8Array.from(randomCbor(random)));
    const theirs = await read("cbor", inputs.map(hexOf));
    const ours = inputs.map((bytes) => readCbor(bytes).tree);
    const written: string[] = [];
    const trees: Tree[] = [];
    for (const [i, tree] of ours.entries()) {
      const context = `seed ${seed}, ${hexOf(inputs[i] ?? [])}`;
      const result = theirs[i];
      assert.ok(result, `${context}: cbor2 does not accept it`);
      assert.deepEqual(tree, result["tree"], context);
      assert.deepEqual(readCbor(Uint8Array.from(Buffer.from(String(result["again"]), "hex"))).tree, tree, `${context}, as cbor2 writes it`);
      if (!isWritable(tree)) continue;
      const writer = new CborWriter();
      write(writer, tree);
      written.push(hexOf(writer.toBytes()));
      trees.push(tree);
    }
    assert.ok(written.length > inputs.length * 0.8);
    for (const [i, result] of (await read("cbor", written)).entries())
      assert.deepEqual(result?.["tree"], trees[i], `seed ${seed}, our ${written[i]}`);
  });

  test("RFC 8949: of damaged and random bytes we accept nothing that cbor2 refuses, and read the rest alike", async () => {
    const inputs = generate(seededRandom(seed + 1), (random) =>
      Uint8Array.from(random.fraction() < 0.2 ? random.bytes(random.integer(24)) : damaged(random, randomCbor(random))),
    );
    const theirs = await read("cbor", inputs.map(hexOf));
    const counts = { alike: 0, refusedByBoth: 0, refusedByUs: 0, dated: 0, repeatedKey: 0 };
    for (const [i, bytes] of inputs.entries()) {
      const result = theirs[i] ?? null;
      const own = attempt(() => readCbor(bytes));
      const context = `seed ${seed + 1}, ${hexOf(bytes)}`;
      if (own === undefined) counts[result === null ? "refusedByBoth" : "refusedByUs"]++;
      // cbor2 looks into tags: a date that is none is refused there, and a date becomes an object.
      else if (own.sawTag && JSON.stringify(own.tree) !== JSON.stringify(result?.["tree"])) counts.dated++;
      else if (hasRepeatedKey(own.tree)) counts.repeatedKey++;
      else {
        assert.ok(result, `${context}: we read ${JSON.stringify(own.tree)}, cbor2 refuses`);
        assert.deepEqual(own.tree, result["tree"], context);
        counts.alike++;
      }
    }
    const told = JSON.stringify(counts);
    assert.ok(counts.alike > 400 && counts.refusedByBoth > 1_000, told);
    // Unknown tags, simple values, keys of other kinds, bignums of more than 128 bits: refused on purpose, and few.
    assert.ok(counts.refusedByUs < inputs.length * 0.2 && counts.dated + counts.repeatedKey < inputs.length * 0.05, told);
  });

  test("RFC 8259: JSON texts, sound and damaged, are accepted and read alike, numbers as they are written", async () => {
    const random = seededRandom(seed + 2);
    const sound = generate(random, (each) => Buffer.from(randomJson(each)));
    const broken = sound.map((bytes) => Buffer.from(damaged(random, [...bytes])));
    const inputs = [...sound, ...broken];
    const theirs = await read(
      "json",
      inputs.map((bytes) => bytes.toString("hex")),
    );
    let refused = 0;
    for (const [i, bytes] of inputs.entries()) {
      const own = attempt(() => parseExactJson(bytes));
      const result = theirs[i] ?? null;
      const context = `seed ${seed + 2}, ${bytes.toString()} (${bytes.toString("hex")})`;
      if (own === undefined) {
        refused++;
        assert.ok(i >= sound.length, `${context}: sound, and refused`);
        assert.equal(result, null, `${context}: refused by us only`);
      } else {
        assert.ok(result, `${context}: refused by Python only`);
        assert.deepEqual(jsonTree(own), result["tree"], context);
      }
    }
    assert.ok(refused > 500 && refused < broken.length, `${refused} refused`);
  });

  test("RFC 8428 §4.3: decimal numbers come to the same double, and whole ones to the same integer, in whatever notation", async () => {
    const inputs = generate(seededRandom(seed + 3), randomNumber);
    const theirs = await read("numbers", inputs);
    for (const [i, text] of inputs.entries()) {
      const own = findDecimal(text);
      assert.ok(own, text);
      assert.equal(floatBits(own.float), theirs[i]?.["float"], text);
      const integer = theirs[i]?.["integer"];
      // Whole numbers far above 64 bits are doubles only.
      if (own.integer === undefined) assert.ok(integer === null || String(integer).length > 20, `${text}: ${String(integer)}`);
      else assert.equal(String(own.integer), integer, text);
    }
  });
});

/** Undefined where the reader refuses; anything else it throws is a finding. */
function attempt<T>(readIt: () => T): T | undefined {
  try {
    return readIt();
  } catch (error) {
    if (error instanceof Refused || error instanceof Lwm2mFormatError) return undefined;
    throw error;
  }
}

function hasRepeatedKey(tree: unknown): boolean {
  if (!Array.isArray(tree)) return false;
  if (tree[0] !== "map" || !Array.isArray(tree[1])) return tree.some(hasRepeatedKey);
  const keys = tree[1].map((entry: unknown) => JSON.stringify(Array.isArray(entry) ? entry[0] : entry));
  return new Set(keys).size < keys.length || tree[1].some(hasRepeatedKey);
}
