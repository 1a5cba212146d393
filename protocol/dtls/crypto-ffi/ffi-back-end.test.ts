import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import { findOpenSslLibrary } from "../../platform/openssl-library.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { nodeDigests } from "../crypto/node-digests.ts";
import { nodeRecordProtection } from "../crypto/node-record-protection.ts";
import { type KeyPlace, newRecordFacts, type RecordFacts, type RecordProtection, sealedBytes } from "../crypto/record-protection.ts";
import { everySuite, type PrfHash } from "../crypto/suites.ts";
import { ffiBackEnd } from "./ffi-back-end.ts";
import { ffiDigests } from "./ffi-digests.ts";
import { area, memoryBytes, NativeCalls } from "./native-calls.ts";
import type { LibraryFunction, OpenSslLibrary } from "./openssl-library.ts";
import { mostHashedBytes, mostTextBytes } from "./sha256.ts";

const random = seededRandom(3_610);
const found = findOpenSslLibrary(memoryBytes);
const isProved = process.platform === "linux" && process.arch === "x64";
const elsewhere = { skip: isProved ? false : `not on ${process.platform} ${process.arch}` };
const hashes: readonly PrfHash[] = ["sha256", "sha384"];
const ciphers = [...new Map(everySuite().map((suite) => [suite.cipher, suite])).values()];

function library(): OpenSslLibrary {
  return found.ok ? found.library : assert.fail(found.reason);
}

function protection(): RecordProtection {
  const made = ffiBackEnd(library(), random);
  return made.ok ? made.backEnd.recordProtection({ random }) : assert.fail(made.reason);
}

test("RFC 6655 §3, RFC 5288 §3: by FFI random records of every cipher, form and length are node:crypto's, both ways", elsewhere, () => {
  const [one, other] = [protection(), nodeRecordProtection({ random })];
  for (let round = 0; round < 3_000; round++) {
    const { keys, facts } = aRecord();
    // Lengths around blocks and copies as well as long ones.
    const size = round % 3 === 0 ? random.integer(16_385) : random.integer(260);
    const content = random.bytes(size);
    const [by, than] = [sealed(one, keys, facts, content), sealed(other, keys, facts, content)];
    if (keys.suite.aead) assert.deepEqual(by, than, keys.suite.cipher);
    assert.deepEqual(opened(one, keys, facts, than), content);
    assert.deepEqual(opened(other, keys, facts, by), content);
    const at = random.integer(by.length);
    const forged = Uint8Array.from(by);
    forged[at] = (forged[at] ?? 0) ^ (1 << random.integer(8));
    assert.equal(opened(one, keys, facts, forged), undefined);
    assert.equal(opened(one, keys, facts, by.subarray(0, at)), undefined);
    assert.equal(opened(one, keys, { ...facts, sequence: facts.sequence ^ 1 }, by), undefined);
  }
});

test("by FFI what no area has room for is node:crypto's, byte for byte", elsewhere, () => {
  const [one, other] = [protection(), nodeRecordProtection({ random })];
  const digests = ffiDigests(new NativeCalls(library()));
  for (const suite of ciphers.filter(({ aead }) => aead)) {
    const { keys, facts } = aRecord(suite);
    for (const size of [0, area.record.bytes - 18, area.record.bytes - 17, area.record.bytes - 16, area.record.bytes, 65_000]) {
      const content = random.bytes(size);
      const record = sealed(one, keys, facts, content);
      assert.deepEqual(record, sealed(other, keys, facts, content));
      assert.deepEqual(opened(one, keys, facts, record), content);
    }
  }
  for (const hash of hashes) {
    for (const [keyBytes, textBytes] of [
      [0, 0],
      [mostTextBytes, mostTextBytes],
      [mostTextBytes + 1, 9],
      [9, mostTextBytes + 1],
    ] as const) {
      const [key, text] = [random.bytes(keyBytes), random.bytes(textBytes)];
      const mac = Buffer.alloc(64);
      digests.writeHmac(hash, key, [text], mac);
      const expected = createHmac(hash, key).update(text).digest();
      assert.deepEqual(mac.subarray(0, expected.length), expected);
    }
    for (const size of [0, 55, 56, 64, mostHashedBytes, mostHashedBytes + 1]) {
      const text = random.bytes(size);
      assert.equal(Buffer.from(digests.hash(hash, text)).toString("hex"), createHash(hash).update(text).digest("hex"));
    }
  }
});

test("RFC 5246 §5, RFC 2104 §2: by FFI random secrets, seeds and lengths give node:crypto's MACs and expansions", elsewhere, () => {
  const digests = ffiDigests(new NativeCalls(library()));
  for (let round = 0; round < 2_000; round++) {
    const hash = hashes[round % 2] ?? "sha256";
    const secret = random.bytes(random.integer(round % 10 === 0 ? 400 : 140));
    const seed = [random.bytes(random.integer(30)), random.bytes(random.integer(round % 7 === 0 ? 2_100 : 70)), random.bytes(32)];
    const [one, other] = [new Uint8Array(random.integer(round % 5 === 0 ? 1_100 : 150)), new Uint8Array(1_100)];
    digests.expand(hash, secret, seed, one);
    nodeDigests.expand(hash, secret, seed, other.subarray(0, one.length));
    assert.deepEqual(one, other.subarray(0, one.length), `${hash}, secret ${secret.length}, out ${one.length}`);
    const [open, openly] = [new Uint8Array(12), new Uint8Array(12)];
    digests.expandOpenly(hash, secret, seed, open);
    nodeDigests.expandOpenly(hash, secret, seed, openly);
    assert.deepEqual(open, openly);
    const [mac, expected] = [Buffer.alloc(48), Buffer.alloc(48)];
    digests.writeHmac(hash, secret, seed, mac);
    nodeDigests.writeHmac(hash, secret, seed, expected);
    assert.deepEqual(mac, expected);
  }
});

test("RFC 5246 §8.1: of secrets and what follows from them nothing is left in the memory handed to OpenSSL", elsewhere, () => {
  const { memory, ...rest } = library();
  const digests = ffiDigests(new NativeCalls({ memory, ...rest }));
  const [secret, out] = [random.bytes(48), new Uint8Array(104)];
  digests.expand("sha256", secret, [random.bytes(77)], out);
  const kept = Buffer.from(memory);
  for (let at = 0; at + 8 <= secret.length; at += 8) assert.equal(kept.indexOf(secret.subarray(at, at + 8)), -1);
  for (let at = 0; at + 8 <= out.length; at += 8) assert.equal(kept.indexOf(out.subarray(at, at + 8)), -1);
  const { keys, facts } = aRecord();
  const text = random.bytes(300);
  const record = sealed(protection(), keys, facts, text);
  const forged = Uint8Array.from(record);
  forged[record.length - 1] = (forged[record.length - 1] ?? 0) ^ 1;
  assert.equal(opened(protection(), keys, facts, forged), undefined);
  assert.equal(Buffer.from(memory).indexOf(text.subarray(0, 8)), -1);
});

test("no length reaches C that its area has no room for", () => {
  const { called, ...fake } = aFake(() => 1);
  const calls = new NativeCalls(fake);
  called.length = 0;
  const wrong = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32 + 1, 2 ** 53, area.record.bytes + 1];
  for (const bytes of wrong) {
    assert.throws(() => calls.seal("aes-128-ccm-8", bytes, 13), /bytes/);
    assert.throws(() => calls.open("aes-128-gcm", bytes, 13), /bytes/);
    assert.throws(() => calls.seal("aes-256-ccm", 9, bytes), /bytes/);
    assert.throws(() => calls.open("aes-256-gcm", 9, bytes), /bytes/);
    assert.throws(() => calls.hash(area.record.at, bytes), /bytes/);
    assert.throws(() => calls.hash(bytes + memoryBytes, 64), /bytes/);
  }
  assert.throws(() => calls.seal("aes-128-ccm-8", 0, 13), /content/);
  assert.throws(() => calls.seal("aes-128-ccm", area.record.bytes - 15, 13), /bytes/);
  assert.throws(() => calls.hash(area.hashBlocks.at - 8, 64), /bytes/);
  assert.throws(() => calls.hash(memoryBytes - 63, 64), /bytes/);
  assert.throws(() => calls.hash(area.record.at, 63), /whole blocks/);
  assert.deepEqual(called, []);
  assert.throws(() => new NativeCalls({ ...fake, memory: new Uint8Array(memoryBytes - 1) }), /are needed/);
});

test("every call's addresses and lengths lie within the memory, whatever is hashed, sealed and opened", elsewhere, () => {
  const { functions, memory, memoryAddress } = library();
  const watched = Object.fromEntries(
    Object.entries(functions).map(([name, call]) => [
      name,
      (...values: readonly (number | string)[]): number => {
        requireInside(name as LibraryFunction, values, memoryAddress);
        return call(...values);
      },
    ]),
  ) as OpenSslLibrary["functions"];
  const made = ffiBackEnd({ functions: watched, memory, memoryAddress }, random);
  assert.ok(made.ok);
  const by = made.backEnd.recordProtection({ random });
  for (let size = 0; size < 20_600; size = size < 40 ? size + 1 : size * 2 - 7) {
    const { keys, facts } = aRecord();
    assert.ok(opened(by, keys, facts, sealed(by, keys, facts, random.bytes(size))) !== undefined);
    opened(by, keys, facts, random.bytes(size));
    made.backEnd.digests.hash("sha256", random.bytes(size));
    made.backEnd.digests.writeHmac("sha256", random.bytes(size), [random.bytes(size)], Buffer.alloc(32));
    made.backEnd.digests.expand("sha256", random.bytes(size % 350), [random.bytes(size % 2_200)], new Uint8Array(size % 1_200));
  }
});

test("a library that lacks something, fails or answers wrongly is refused, with the reason", elsewhere, () => {
  const lacking = aFake((name) => (name === "EVP_CIPHER_fetch" ? 0 : 1));
  assert.deepEqual(ffiBackEnd(lacking, random), { ok: false, reason: "OpenSSL lacks something" });
  assert.deepEqual(
    ffiBackEnd(
      aFake(() => 1),
      random,
    ),
    { ok: false, reason: "the test of itself failed: sha256 is wrong" },
  );
  const real = library();
  const broken = (change: Partial<OpenSslLibrary["functions"]>) =>
    ffiBackEnd({ ...real, memory: real.memory, functions: { ...real.functions, ...change } }, random);
  assert.deepEqual(broken({ SHA256_Init: () => 0 }), { ok: false, reason: "OpenSSL begins no hash" });
  assert.deepEqual(broken({ SHA256_Update: () => 0 }), { ok: false, reason: "OpenSSL hashes nothing" });
  assert.deepEqual(broken({ SHA256_Update: () => 1 }), { ok: false, reason: "the test of itself failed: sha256 is wrong" });
  assert.deepEqual(broken({ EVP_CipherUpdate: () => -1 }), { ok: false, reason: "OpenSSL seals no record" });
  // One that opens whatever it is given: GCM judges at the end.
  const trusting = broken({
    EVP_CipherFinal_ex: (...values) => {
      real.functions.EVP_CipherFinal_ex(...values);
      return 1;
    },
  });
  assert.deepEqual(trusting, { ok: false, reason: "the test of itself failed: a forged record of aes-128-gcm opens" });
  const lost = broken({
    EVP_CIPHER_CTX_ctrl: () => {
      throw new Error("no such call");
    },
  });
  assert.deepEqual(lost, { ok: false, reason: "no such call" });
  assert.ok(broken({}).ok);
});

test("where the back end was proved it is there: koffi loads, OpenSSL has every function and passes", elsewhere, () => {
  assert.ok(found.ok, found.ok ? "" : found.reason);
  assert.ok(ffiBackEnd(library(), random).ok);
});

function aRecord(suite = ciphers[random.integer(ciphers.length)] ?? assert.fail()): { keys: KeyPlace; facts: RecordFacts } {
  const keys = { suite, encryptThenMac: true, bytes: random.bytes(256), macKeyAt: 3, keyAt: 50, ivAt: 99 };
  const form = random.integer(3);
  const id = form === 0 ? {} : { connectionId: random.bytes(40), connectionIdAt: 4, connectionIdBytes: 1 + random.integer(20) };
  const facts = { ...newRecordFacts(), contentType: 22, sequence: 7 + random.integer(2 ** 30), ...id, draftConnectionId: form === 2 };
  return { keys, facts };
}

function sealed(by: RecordProtection, keys: KeyPlace, facts: RecordFacts, content: Uint8Array): Uint8Array {
  const out = new Uint8Array(sealedBytes(keys, facts, content.length));
  assert.equal(by.seal(keys, facts, content, 0, content.length, out, 0), out.length);
  return out;
}

function opened(by: RecordProtection, keys: KeyPlace, facts: RecordFacts, fragment: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(fragment.length);
  const length = by.open(keys, { ...facts }, fragment, 0, fragment.length, out, 0);
  return length < 0 ? undefined : out.subarray(0, length);
}

/** Functions that do nothing and note their names. */
function aFake(answer: (name: string) => number): OpenSslLibrary & { called: string[] } {
  const called: string[] = [];
  const functions = new Proxy({} as OpenSslLibrary["functions"], {
    get: (_, name) => () => {
      called.push(String(name));
      return answer(String(name));
    },
  });
  return { functions, memory: new Uint8Array(memoryBytes), memoryAddress: 4_096, called };
}

/** Which values of a call are an address and how much is read or written there. */
function requireInside(name: LibraryFunction, values: readonly (number | string)[], memoryAddress: number): void {
  const number = (i: number): number => Number(values[i]);
  const inside = (at: number, bytes: number): void => {
    if (at === 0 && bytes === 0) return;
    assert.ok(at >= memoryAddress && bytes >= 0 && at + bytes <= memoryAddress + memoryBytes, `${name} ${values.join(" ")}`);
  };
  switch (name) {
    case "SHA256_Init":
      inside(number(0), 112);
      break;
    case "SHA256_Update":
      inside(number(0), 112);
      inside(number(1), number(2));
      break;
    case "EVP_CipherUpdate":
      inside(number(2), 4);
      if (number(1) !== 0) inside(number(1), number(4));
      if (number(3) !== 0) inside(number(3), number(4));
      break;
    case "EVP_CipherInit_ex2":
      if (number(2) !== 0) inside(number(2), 32);
      if (number(3) !== 0) inside(number(3), 12);
      break;
    case "EVP_CIPHER_CTX_ctrl":
      if (number(3) !== 0) inside(number(3), number(2));
      break;
    default:
  }
}
