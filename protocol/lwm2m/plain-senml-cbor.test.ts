import assert from "node:assert/strict";
import { test } from "node:test";
import { ContentFormat } from "../coap/content-formats.ts";
import { type SeededRandom, seededRandom } from "../testing/seeded-random.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import type { DecodeContext } from "./payload-contract.ts";
import { payloadVectors, receivedAtMs, typeOf } from "./payload-vectors.ts";
import { findPlainPack } from "./plain-senml-cbor.ts";
import { decodeAnySenmlCbor } from "./senml-cbor.ts";
import type { PathValue } from "./value.ts";

const seed = 20_261_121;
const lenient: DecodeContext = { typeOf, nowMs: receivedAtMs };
/** The short cut needs no tolerance, so a strict run reads what it takes as well. It tells nobody of anything. */
const watched: DecodeContext = {
  ...lenient,
  strict: true,
  onTolerance: (tolerance) => assert.fail(tolerance),
  onUnreadable: (_path, why) => assert.fail(why),
};

/** Whether the pack is plain, after the comparison with the whole rule. */
function compare(pack: Uint8Array, message: string): boolean {
  const plain = findPlainPack(pack, watched);
  if (plain === undefined) return false;
  const whole = outcomeOf(() => decodeAnySenmlCbor(pack, { ...lenient, strict: true }));
  assert.deepEqual(plain, whole, `${message}: ${Buffer.from(pack).toString("hex")}`);
  return true;
}

function outcomeOf(read: () => readonly PathValue[]): unknown {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof Lwm2mFormatError);
    return error.message;
  }
}

/** Fields of records, plain and not: labels, then values. */
const pieces = {
  names: ["60", "6130", "6431323031", "6431333031", "6131", "6431313000", "612f", "633132302f", "623031", "663132302f2f31", "6561622f63e9"],
  numbers: ["00", "17", "1818", "20", "38ff", "19ffff", "1a80000000", "1b001fffffffffffff", "1b0020000000000000", "3b001fffffffffffff"],
  floats: [
    "fb4035266666666666",
    "fa41a80000",
    "f93e00",
    "fb7ff0000000000000",
    "fb7ff8000000000000",
    "fb8000000000000000",
    "f6",
    "c11a65000000",
  ],
  texts: ["60", "626f6b", "62c3a9", "61ff", "5801", "7818616161616161616161616161616161616161616161616161", "7f6161ff"],
  bytes: ["40", "43010203", "581801020304050607080102030405060708010203040506070801", "5f4101ff"],
  truths: ["f4", "f5", "f6", "01"],
  times: ["00", "1a65000000", "3901f3", "fb41d940000020c49c", "fb7fefffffffffffff", "1b0000ffffffffffff"],
  baseNames: ["672f333434322f30", "682f333434322f302f", "6a2f333434322f302f3131", "60", "612f", "66333434322f30"],
} as const;

/** Names of test resources of every type, with the kind of value they mostly get. */
const resources = [
  ["63313130", "03", pieces.texts],
  ["63313230", "02", pieces.numbers],
  ["63313235", "02", pieces.numbers],
  ["63313330", "02", pieces.floats],
  ["63313430", "04", pieces.truths],
  ["63313530", "08", pieces.bytes],
  ["63313630", "02", pieces.numbers],
  ["63313730", "03", pieces.texts],
  ["63313830", "03", pieces.texts],
  ["66313132302f37", "02", pieces.numbers],
  ["63393939", "02", pieces.floats],
  ["63393939", "03", pieces.texts],
] as const;

function randomRecord(random: SeededRandom, isFirst: boolean): string {
  const [name, label, values] = random.pick(resources);
  const often = random.fraction() < 0.97;
  const fields = [`00${often ? name : random.pick(pieces.names)}`];
  fields.push(`${often ? label : random.pick(["02", "03", "04", "08"])}${random.pick(often ? values : pieces.numbers)}`);
  if (random.fraction() < 0.4) fields.push(`06${random.pick(pieces.times)}`);
  if (isFirst) fields.push(`21${random.fraction() < 0.8 ? pieces.baseNames[1] : random.pick(pieces.baseNames)}`);
  if (random.fraction() < 0.2) fields.push(`22${random.pick(pieces.times)}`);
  if (random.fraction() < 0.02) fields.push(random.pick(["01616d", "2400", "0500", "63766c6f63313a32", ...fields]));
  if (random.fraction() < 0.02) fields.pop();
  if (random.fraction() < 0.3) fields.reverse();
  return `a${fields.length}${fields.join("")}`;
}

function randomPack(random: SeededRandom): Uint8Array {
  const records = Array.from({ length: 1 + random.integer(3) }, (_, index) => randomRecord(random, index === 0));
  const count = random.fraction() < 0.98 ? records.length : records.length + 1;
  return Buffer.from(`8${count}${records.join("")}`, "hex");
}

test(`RFC 8428 §6: the short cut reads random packs as the whole rule does, and most of them (seed ${seed})`, () => {
  const random = seededRandom(seed);
  let taken = 0;
  for (let round = 0; round < 20_000; round++) if (compare(randomPack(random), `seed ${seed}, round ${round}`)) taken++;
  assert.ok(taken > 4_000, `${taken} packs taken`);
});

test(`RFC 8428 §6: cut at every byte or with a byte changed, the short cut takes nothing that the whole rule reads differently`, () => {
  const random = seededRandom(seed);
  let taken = 0;
  for (let round = 0; round < 400; round++) {
    const pack = randomPack(random);
    for (let end = 0; end < pack.length; end++) assert.equal(findPlainPack(pack.subarray(0, end), watched), undefined);
    for (let change = 0; change < 60; change++) {
      const changed = Uint8Array.from(pack);
      changed[random.integer(pack.length)] = random.integer(256);
      if (compare(changed, `seed ${seed}, round ${round}`)) taken++;
    }
  }
  assert.ok(taken > 500, `${taken} changed packs taken`);
});

test("LwM2M Core 1.1 §7.4.4: the short cut takes examples of the specification; more records than the limit are none of its own", () => {
  let taken = 0;
  for (const { format, hex, source } of payloadVectors) {
    if (format === ContentFormat.senmlCbor && compare(Buffer.from(hex?.replaceAll(" ", "") ?? "", "hex"), source)) taken++;
  }
  assert.ok(taken > 0);
  const two = Buffer.from("82a321682f333434322f302f00633132300201a200633132300202", "hex");
  assert.equal(findPlainPack(two, watched)?.length, 2);
  assert.equal(findPlainPack(two, { ...watched, limits: { maxRecords: 1 } }), undefined);
  assert.equal(findPlainPack(two, { ...watched, rootPath: "/lwm2m" }), undefined);
});
