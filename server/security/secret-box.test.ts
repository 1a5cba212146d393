import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { SecretBox, SecretBoxError, type SecretPlace } from "./secret-box.ts";
import { secretKeyOf } from "./secret-key-file.ts";

const random = seededRandom(1);
const aKey = (fill: number) => secretKeyOf(new Uint8Array(32).fill(fill));
const box = new SecretBox([aKey(1)], random);
const place: SecretPlace = { collection: "credentials", document: "one", field: "key" };
const plain = new TextEncoder().encode("a key of sixteen");

test("what is sealed opens in its place, and shows nothing of itself", () => {
  const sealed = box.seal(plain, place);
  assert.deepEqual(box.open(sealed, place), plain);
  for (const form of ["utf8", "base64", "base64url", "hex"] as const) {
    assert.equal(sealed.includes(Buffer.from(plain).toString(form).replaceAll("=", "")), false, form);
  }
});

test("SP 800-38D §8: the same secret never looks the same twice", () => {
  assert.notEqual(box.seal(plain, place), box.seal(plain, place));
});

test("nothing, and much, can be sealed", () => {
  for (const length of [0, 1, 10_000]) assert.equal(box.open(box.seal(new Uint8Array(length), place), place).length, length);
});

for (const [what, elsewhere] of [
  ["collection", { ...place, collection: "serverIdentities" }],
  ["document", { ...place, document: "two" }],
  ["field", { ...place, field: "other" }],
  ["cut between its parts", { collection: "credential", document: "sone", field: "key" }],
  ["quoting", { collection: 'credentials","one', document: "", field: "key" }],
] as const) {
  test(`a secret does not open in another ${what}`, () => {
    assert.throws(() => box.open(box.seal(plain, place), elsewhere), SecretBoxError);
  });
}

test("a change of any character, and a cut at any, is an error that shows nothing", () => {
  const sealed = box.seal(plain, place);
  const forms = [...sealed].flatMap((character, index) => {
    const other = character === "A" ? "B" : "A";
    return [sealed.slice(0, index), sealed.slice(0, index) + other + sealed.slice(index + 1)];
  });
  for (const form of forms) {
    // The last character holds two bits that mean nothing: another letter may be the same bytes.
    if (
      Buffer.from(form.split(".")[1] ?? "", "base64url").equals(Buffer.from(sealed.split(".")[1] ?? "", "base64url")) &&
      form.startsWith(`${box.keyId}.`)
    )
      continue;
    assert.throws(
      () => box.open(form, place),
      (error) => error instanceof SecretBoxError && !error.message.includes("sixteen"),
      form,
    );
  }
});

test("the first key seals, all open; a key that is not there is named", () => {
  const former = box.seal(plain, place);
  const rotated = new SecretBox([aKey(2), aKey(1)], random);
  assert.equal(rotated.keyId, aKey(2).id);
  assert.deepEqual(rotated.open(former, place), plain);
  assert.throws(() => new SecretBox([aKey(2)], random).open(former, place), new RegExp(`the key ${aKey(1).id} is not there`));
});

test("RFC 5869: keys for other purposes differ by purpose and follow the order of the file", () => {
  const [current, former] = new SecretBox([aKey(2), aKey(1)], random).derivedKeys("dtls journal");
  assert.deepEqual([former], box.derivedKeys("dtls journal"));
  assert.notDeepEqual(current, former);
  assert.notDeepEqual(box.derivedKeys("another"), box.derivedKeys("dtls journal"));
  assert.equal(current?.length, 32);
});
