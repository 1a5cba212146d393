import assert from "node:assert/strict";
import { createCipheriv, createHmac } from "node:crypto";
import { test } from "node:test";
import { otherBackEnds } from "../../testing/crypto-back-ends.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { ContentType } from "../constants.ts";
import { bytesOf } from "../testing/recorded-messages.ts";
import { nodeRecordProtection } from "./node-record-protection.ts";
import { placeOf, protectionVectors, vectorContent } from "./protection-vectors.ts";
import {
  additionalData,
  type KeyPlace,
  newRecordFacts,
  type RecordFacts,
  type RecordProtection,
  sealedBytes,
} from "./record-protection.ts";
import { everySuite, type Suite, suiteOf } from "./suites.ts";

const random = seededRandom(9_146);
const byName: readonly (readonly [string, RecordProtection])[] = [
  ["node:crypto", nodeRecordProtection({ random })],
  ["node:crypto, key objects", nodeRecordProtection({ random, keyForm: "key-object" })],
  ...otherBackEnds(random).map(({ name, recordProtection }) => [name, recordProtection({ random })] as const),
];
const backEnds = byName.map(([, protection]) => protection);
const [protection = nodeRecordProtection({ random })] = backEnds;
const ciphers = [...new Map(everySuite().map((suite) => [suite.cipher, suite])).values()];

/** Keys somewhere inside a larger row, as connections keep them. */
function aKeyPlace(suite: Suite, encryptThenMac = false): KeyPlace {
  const bytes = random.bytes(256);
  return { suite, encryptThenMac, bytes, macKeyAt: 3, keyAt: 50, ivAt: 99 };
}

function someFacts(change: Partial<RecordFacts> = {}): RecordFacts {
  return { ...newRecordFacts(), sequence: 2 ** 40 + 7, ...change };
}

function withId(idBytes: number, draftConnectionId = false): RecordFacts {
  return someFacts({ connectionId: random.bytes(idBytes + 9), connectionIdAt: 5, connectionIdBytes: idBytes, draftConnectionId });
}

interface Form {
  readonly name: string;
  readonly keys: KeyPlace;
  readonly facts: () => RecordFacts;
}

function everyForm(): Form[] {
  const forms: Form[] = [];
  for (const suite of ciphers) {
    for (const encryptThenMac of suite.aead ? [false] : [false, true]) {
      const keys = aKeyPlace(suite, encryptThenMac);
      const [id, draft] = [withId(8), withId(3, true)];
      const name = `${suite.cipher}${encryptThenMac ? " encrypt-then-mac" : ""}`;
      forms.push({ name, keys, facts: () => someFacts() });
      forms.push({ name: `${name}, id`, keys, facts: () => ({ ...id }) });
      forms.push({ name: `${name}, draft id`, keys, facts: () => ({ ...draft }) });
    }
  }
  return forms;
}

function sealed(protection: RecordProtection, keys: KeyPlace, facts: RecordFacts, content: Uint8Array): Uint8Array {
  const out = new Uint8Array(sealedBytes(keys, facts, content.length));
  assert.equal(protection.seal(keys, facts, content, 0, content.length, out, 0), out.length);
  return out;
}

function opened(protection: RecordProtection, keys: KeyPlace, facts: RecordFacts, fragment: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(fragment.length);
  const length = protection.open(keys, facts, fragment, 0, fragment.length, out, 0);
  return length < 0 ? undefined : out.subarray(0, length);
}

test("RFC 5246 §6.2.3: every cipher and header form opens what it sealed, empty records included, across all back ends", () => {
  for (const { name, keys, facts } of everyForm()) {
    for (const size of [0, 1, 15, 16, 17, 64, 1_024, 16_384]) {
      const content = random.bytes(size);
      for (const sealer of backEnds) {
        const record = sealed(sealer, keys, { ...facts(), contentType: ContentType.handshake }, content);
        for (const opener of backEnds) {
          const heard = { ...facts(), contentType: facts().connectionIdBytes > 0 ? 0 : ContentType.handshake };
          assert.deepEqual(opened(opener, keys, heard, record), content, `${name}, ${size} bytes`);
          assert.equal(heard.contentType, ContentType.handshake);
        }
      }
    }
  }
});

test("RFC 5246 §6.2.3.3, RFC 9146 §5.3, draft-ietf-tls-dtls-connection-id-05 §5: the additional data, byte by byte", () => {
  const facts = someFacts({
    contentType: 22,
    epoch: 0x0102,
    sequence: 0x030405060708,
    connectionId: bytesOf("00c1c2c3"),
    connectionIdAt: 1,
  });
  const layouts: readonly [Partial<RecordFacts>, string][] = [
    [{}, "0102030405060708 16 fefd 0405"],
    [{ connectionIdBytes: 3 }, "ffffffffffffffff 19 03 19 fefd 0102030405060708 c1c2c3 0405"],
    [{ connectionIdBytes: 3, draftConnectionId: true }, "0102030405060708 19 fefd c1c2c3 03 0405"],
    [{ draftConnectionId: true }, "0102030405060708 16 fefd 0405"],
  ];
  for (const [change, layout] of layouts) {
    assert.equal(additionalData({ ...facts, ...change }, 0x0405).toString("hex"), layout.replaceAll(" ", ""));
  }
});

/** The AEAD form put together by hand from the sections: nonce, additional data, inner plaintext. */
function sealedByHand(keys: KeyPlace, facts: RecordFacts, content: Uint8Array): Buffer {
  const { suite, bytes, keyAt, ivAt } = keys;
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE((BigInt(facts.epoch) << 48n) | BigInt(facts.sequence));
  const id = Buffer.from(facts.connectionId.subarray(facts.connectionIdAt, facts.connectionIdAt + facts.connectionIdBytes));
  const inner = id.length > 0 ? Buffer.concat([content, Buffer.of(facts.contentType)]) : content;
  const length = Buffer.of(inner.length >>> 8, inner.length & 0xff);
  const version = bytesOf("fefd");
  const parts =
    id.length === 0
      ? [number, Buffer.of(facts.contentType), version, length]
      : facts.draftConnectionId
        ? [number, Buffer.of(25), version, id, Buffer.of(id.length), length]
        : [Buffer.alloc(8, 0xff), Buffer.of(25, id.length, 25), version, number, id, length];
  const mode = suite.cipher.replace("-ccm-8", "-ccm") as "aes-128-ccm";
  const nonce = Buffer.concat([bytes.subarray(ivAt, ivAt + 4), number]);
  const cipher = createCipheriv(mode, bytes.subarray(keyAt, keyAt + suite.keyBytes), nonce, { authTagLength: suite.tagBytes });
  cipher.setAAD(Buffer.concat(parts), { plaintextLength: inner.length });
  const sealed = Buffer.concat([number, cipher.update(inner), cipher.final()]);
  return Buffer.concat([sealed, cipher.getAuthTag()]);
}

test("RFC 6655 §3, RFC 5288 §3, RFC 9146 §4, §5.3: AEAD records are what the sections put together by hand, the nonce epoch and sequence", () => {
  for (const { name, keys, facts } of everyForm().filter(({ keys }) => keys.suite.aead)) {
    for (const size of [1, 64, 1_000]) {
      const content = random.bytes(size);
      for (const backEnd of backEnds) {
        const record = sealed(backEnd, keys, facts(), content);
        assert.deepEqual(Buffer.from(record), sealedByHand(keys, facts(), content), name);
        assert.equal(Buffer.from(record).readBigUInt64BE(0), (1n << 48n) | (2n ** 40n + 7n));
      }
    }
  }
});

/** CBC by hand: content, MAC, so many bytes of padding (a multiple of blocks in sum), encrypted under a zero IV. */
function cbcByHand(keys: KeyPlace, facts: RecordFacts, content: Uint8Array, padding: Uint8Array): Buffer {
  const { bytes, macKeyAt, keyAt } = keys;
  const mac = (data: Uint8Array): Buffer =>
    createHmac("sha256", bytes.subarray(macKeyAt, macKeyAt + 32))
      .update(additionalData(facts, data.length))
      .update(data)
      .digest();
  const plain = Buffer.concat(keys.encryptThenMac ? [content, padding] : [content, mac(content), padding]);
  const encrypted = createCipheriv("aes-128-cbc", bytes.subarray(keyAt, keyAt + 16), Buffer.alloc(16))
    .setAutoPadding(false)
    .update(plain);
  const fragment = Buffer.concat([Buffer.alloc(16), encrypted]);
  return keys.encryptThenMac ? Buffer.concat([fragment, mac(fragment)]) : fragment;
}

test("RFC 5246 §6.2.3.2, RFC 7366 §3: CBC with every length of padding opens; one wrong byte of padding under a right MAC does not", () => {
  const suite = suiteOf(0x00ae) ?? assert.fail();
  for (const encryptThenMac of [false, true]) {
    const keys = aKeyPlace(suite, encryptThenMac);
    for (let size = 0; size < 256; size++) {
      const length = 1_024 - (size + 1);
      const content = random.bytes(encryptThenMac ? length : length - 32);
      const padding = new Uint8Array(size + 1).fill(size);
      assert.deepEqual(opened(protection, keys, someFacts(), cbcByHand(keys, someFacts(), content, padding)), content, `padding ${size}`);
      if (size === 0) continue;
      const at = random.integer(size);
      padding[at] = (padding[at] ?? 0) ^ (1 << random.integer(8));
      assert.equal(opened(protection, keys, someFacts(), cbcByHand(keys, someFacts(), content, padding)), undefined);
    }
    // Padding that claims more bytes than there are.
    const short = cbcByHand(keys, someFacts(), random.bytes(encryptThenMac ? 15 : 31), Uint8Array.of(255));
    assert.equal(opened(protection, keys, someFacts(), short), undefined);
  }
});

test("RFC 5246 §6.2.3.2: every CBC record has an IV of its own, from the random source", () => {
  const keys = aKeyPlace(suiteOf(0x00ae) ?? assert.fail(), true);
  const source = nodeRecordProtection({ random: { bytes: (length) => new Uint8Array(length).fill(7), fraction: () => 0 } });
  assert.deepEqual(sealed(source, keys, someFacts(), random.bytes(3)).subarray(0, 16), new Uint8Array(16).fill(7));
  const ivs = Array.from({ length: 100 }, () => Buffer.from(sealed(protection, keys, someFacts(), random.bytes(3)).subarray(0, 16)));
  assert.equal(new Set(ivs.map((iv) => iv.toString("hex"))).size, 100);
});

for (const [backEnd, protection] of byName) {
  test(`RFC 6347 §4.1.2.7: a changed byte, a changed header, another key or a cut anywhere is refused, and nothing of the content gets out (${backEnd})`, () => {
    for (const { name, keys, facts } of everyForm()) {
      const content = random.bytes(40);
      const record = sealed(protection, keys, facts(), content);
      const refused = (keys: KeyPlace, facts: RecordFacts, fragment: Uint8Array, what: string): void => {
        const out = new Uint8Array(record.length).fill(0xee);
        assert.equal(protection.open(keys, facts, fragment, 0, fragment.length, out, 0), -1, `${name}: ${what}`);
        assert.deepEqual(out, new Uint8Array(record.length).fill(0xee), `${name}: ${what} left something`);
      };
      for (let at = 0; at < record.length; at++) {
        const changed = Uint8Array.from(record);
        changed[at] = (changed[at] ?? 0) ^ (1 << random.integer(8));
        refused(keys, facts(), changed, `byte ${at}`);
        refused(keys, facts(), record.subarray(0, at), `cut at ${at}`);
      }
      refused(keys, facts(), Uint8Array.of(...record, 0), "a byte more");
      refused({ ...keys, bytes: random.bytes(256) }, facts(), record, "another key");
      const { connectionIdBytes, draftConnectionId, connectionId } = facts();
      const changes: Partial<RecordFacts>[] = [{ version: 0xfeff }];
      // The explicit nonce is the record's own, so that epoch and sequence count only through the additional data.
      changes.push({ epoch: 2 }, { sequence: 7 }, { sequence: 2 ** 40 + 6 }, { sequence: 2 ** 41 + 7 });
      if (connectionIdBytes === 0) changes.push({ contentType: 22 });
      else changes.push({ draftConnectionId: !draftConnectionId }, { connectionIdBytes: connectionIdBytes - 1 }, { connectionIdAt: 4 });
      if (connectionIdBytes > 0) changes.push({ connectionIdBytes: 0 }, { connectionId: connectionId.map((byte) => byte ^ 1) });
      for (const change of changes) refused(keys, { ...facts(), ...change }, record, JSON.stringify(change));
    }
  });
}

for (const [backEnd, protection] of byName) {
  test(`RFC 9146 §4: padding is taken off behind the inner type; content without any type is refused (${backEnd})`, () => {
    for (const { name, keys, facts } of everyForm().filter(({ facts }) => facts().connectionIdBytes > 0)) {
      // A type of 0 is one more byte of padding.
      const padded = Uint8Array.of(1, 0, 2, 0, 0, ContentType.alert, 0, 0, 0);
      const heard = facts();
      const record = sealed(protection, keys, { ...facts(), contentType: 0 }, padded);
      assert.deepEqual(opened(protection, keys, heard, record), Uint8Array.of(1, 0, 2, 0, 0), name);
      assert.equal(heard.contentType, ContentType.alert);
      for (const size of [0, 1, 100]) {
        const nothing = sealed(protection, keys, { ...facts(), contentType: 0 }, new Uint8Array(size));
        assert.equal(opened(protection, keys, facts(), nothing), undefined, `${name}, ${size} zeros`);
      }
    }
  });
}

for (const [backEnd, protection] of byName) {
  test(`sealing and opening in place, at offsets, touch nothing beside the record (${backEnd})`, () => {
    for (const { name, keys, facts } of everyForm()) {
      for (const size of [0, 1, 33, 500]) {
        const content = random.bytes(size);
        const room = sealedBytes(keys, facts(), size);
        const buffer = new Uint8Array(room + 50).fill(0xdd);
        const contentAt = 20 + keys.suite.explicitNonceBytes;
        buffer.set(content, contentAt);
        assert.equal(protection.seal(keys, facts(), buffer, contentAt, size, buffer, 20), room, name);
        const around = (): number[] => [...buffer.subarray(0, 20), ...buffer.subarray(20 + room)];
        assert.ok(around().every((byte) => byte === 0xdd));
        assert.equal(protection.open(keys, facts(), buffer, 20, room, buffer, 20), size, name);
        assert.deepEqual(buffer.subarray(20, 20 + size), content);
        assert.ok(around().every((byte) => byte === 0xdd));
      }
    }
  });
}

for (const [backEnd, protection] of byName) {
  test(`RFC 6347 §4.1.2.7: random fragments of every length are refused, never thrown (${backEnd})`, () => {
    for (const { name, keys, facts } of everyForm()) {
      for (let length = 0; length < 300; length++) {
        assert.equal(opened(protection, keys, facts(), random.bytes(length)), undefined, `${name}, ${length} bytes`);
      }
    }
  });
}

for (const [backEnd, protection] of byName) {
  test(`what another back end tests itself with: the fixed records open, and AEAD ones seal to the same bytes (${backEnd})`, () => {
    assert.deepEqual(
      protectionVectors.map(({ suite }) => suiteOf(suite)?.cipher),
      ciphers.flatMap(({ cipher }) => (cipher === "aes-128-cbc" ? [cipher, cipher, cipher, cipher] : [cipher, cipher])),
    );
    for (const vector of protectionVectors) {
      const { keys, facts } = placeOf(vector);
      assert.deepEqual(opened(protection, keys, { ...facts }, bytesOf(vector.fragment)), vectorContent);
      if (keys.suite.aead) assert.deepEqual(sealed(protection, keys, { ...facts }, vectorContent), bytesOf(vector.fragment));
    }
  });
}

test("NIST SP 800-38C example 3, RFC 3610 §8 packet 1, GCM specification case 4: the primitives under the records give the published text", () => {
  const published = [
    {
      cipher: "aes-128-ccm",
      key: "404142434445464748494a4b4c4d4e4f",
      nonce: "101112131415161718191a1b",
      additional: "000102030405060708090a0b0c0d0e0f10111213",
      text: "202122232425262728292a2b2c2d2e2f3031323334353637",
      sealed: "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5 484392fbc1b09951",
      tagBytes: 8,
    },
    {
      cipher: "aes-128-ccm",
      key: "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
      nonce: "00000003020100a0a1a2a3a4a5",
      additional: "0001020304050607",
      text: "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
      sealed: "588c979a61c663d2f066d0c2c0f989806d5f6b61dac384 17e8d12cfdf926e0",
      tagBytes: 8,
    },
    {
      cipher: "aes-128-gcm",
      key: "feffe9928665731c6d6a8f9467308308",
      nonce: "cafebabefacedbaddecaf888",
      additional: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      text: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
      sealed:
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091" +
        "5bc94fbc3221a5db94fae95ae7121a47",
      tagBytes: 16,
    },
  ];
  for (const { cipher: name, key, nonce, additional, text, sealed, tagBytes } of published) {
    const cipher = createCipheriv(name as "aes-128-ccm", bytesOf(key), bytesOf(nonce), { authTagLength: tagBytes });
    cipher.setAAD(bytesOf(additional), { plaintextLength: bytesOf(text).length });
    const written = Buffer.concat([cipher.update(bytesOf(text)), cipher.final()]);
    assert.deepEqual(Buffer.concat([written, cipher.getAuthTag()]), Buffer.from(bytesOf(sealed)), name);
  }
});
