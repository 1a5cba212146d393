import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { ContentType } from "../constants.ts";
import { nodeRecordProtection } from "./node-record-protection.ts";
import { type KeyPlace, newRecordFacts, type RecordFacts, type RecordProtection, sealedBytes } from "./record-protection.ts";
import { everySuite, type Suite } from "./suites.ts";

const random = seededRandom(9_146);
const forms = ["bytes", "key-object"] as const;
const backEnds: readonly RecordProtection[] = forms.map((keyForm) => nodeRecordProtection({ random, keyForm }));
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

test("RFC 5246 §6.2.3: every cipher and header form opens what it sealed, empty records included, across both key forms", () => {
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
