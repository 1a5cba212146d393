import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { prfAnswers } from "../crypto-ffi/known-answers.ts";
import { bytesOf } from "../testing/recorded-messages.ts";
import { hashBytesOf, hmac } from "./hmac.ts";
import { keyBlock, masterSecret, prf, pskPremaster, verifyData } from "./prf.ts";
import { everySuite, suiteOf } from "./suites.ts";

const random = seededRandom(5_246);

/** NIST CAVP, SP 800-135 TLS 1.2, the first of each hash. */
const nistVectors = [
  {
    suite: 0x00ae,
    premaster: "f8938ecc9edebc5030c0c6a441e213cd24e6f770a50dda07876f8d55da062bcadb386b411fd4fe4313a604fce6c17fbc",
    serverHello: "f6c9575ed7ddd73e1f7d16eca115415812a43c2b747daaaae043abfb50053fce",
    clientHello: "36c129d01a3200894b9179faac589d9835d58775f9b5ea3587cb8fd0364cae8c",
    server: "ae6c806f8ad4d80784549dff28a4b58fd837681a51d928c3e30ee5ff14f39868",
    client: "62e1fd91f23f558a605f28478c58cf72637b89784d959df7e946d3f07bd1b616",
    master: "202c88c00f84a17a20027079604787461176455539e705be730890602c289a5001e34eeb3a043e5d52a65e66125188bf",
    keyBlock:
      "d06139889fffac1e3a71865f504aa5d0d2a2e89506c6f2279b670c3e1b74f531016a2530c51a3a0f7e1d6590d0f0566b2f387f8d11fd4f731cdd572d2eae927f" +
      "6f2f81410b25e6960be68985add6c38445ad9f8c64bf8068bf9a6679485d966f1ad6f68b43495b10a683755ea2b858d70ccac7ec8b053c6bd41ca299d4e51928",
  },
  {
    suite: 0x00a9,
    premaster: "a5e2642633f5b8c81ad3fe0c2fe3a8e5ef806b06121dd10df4bb0fe857bfdcf522558e05d2682c9a80c741a3aab1716f",
    serverHello: "cb6e0b3eb02976b6466dfa9651c2919414f1648fd3a7838d02153e5bd39535b6",
    clientHello: "abe4bf5527429ac8eb13574d2709e8012bd1a113c6d3b1d3aa2c3840518778ac",
    server: "1b1c8568344a65c30828e7483c0e353e2c68641c9551efae6927d9cd627a107c",
    client: "954b5fe1849c2ede177438261f099a2fcd884d001b9fe1de754364b1f6a6dd8e",
    master: "b4d49bfa87747fe815457bc3da15073d6ac73389e703079a3503c09e14bd559a5b3c7c601c7365f6ea8c68d3d9596827",
    keyBlock:
      "10fd89ef689c7ef033387b8a8f3e5e8e7c11f680f6bdd71fbac3246a73e98d45d03185dde686e6b2369e4503e9dc5a6d2cee3e2bf2fa3f41d3de57dff3e197c8" +
      "a9d5f74cc2d277119d894f8584b07a0a5822f0bd68b3433ec6adaf5c9406c5f3ddbb71bbe17ce98f3d4d5893d3179ef369f57aad908e2bf710639100c3ce7e0c",
  },
] as const;

test("RFC 5246 §5: the PRF gives the published output for SHA-256 and SHA-384, at every length", () => {
  for (const { hash, secret, seed, output } of prfAnswers) {
    const expected = bytesOf(output);
    for (let length = 0; length <= expected.length; length++) {
      assert.deepEqual(prf(hash, bytesOf(secret), "test label", bytesOf(seed), length), expected.subarray(0, length));
    }
  }
});

test("RFC 5246 §8.1, §6.3: NIST's master secrets and key blocks come out, cut in the order of the section", () => {
  for (const vector of nistVectors) {
    const suite = suiteOf(vector.suite) ?? assert.fail();
    const master = masterSecret(suite.prfHash, bytesOf(vector.premaster), bytesOf(vector.clientHello), bytesOf(vector.serverHello));
    assert.deepEqual(master, bytesOf(vector.master));
    const keys = keyBlock(suite, master, bytesOf(vector.client), bytesOf(vector.server));
    const inOrder = [keys.clientMacKey, keys.serverMacKey, keys.clientKey, keys.serverKey, keys.clientIv, keys.serverIv];
    assert.deepEqual(
      inOrder.map(({ length }) => length),
      suite.aead ? [0, 0, 32, 32, 4, 4] : [32, 32, 16, 16, 0, 0],
    );
    const whole = Buffer.concat(inOrder);
    assert.equal(whole.toString("hex"), vector.keyBlock.slice(0, 2 * whole.length));
  }
});

test("RFC 5246 §7.4.9: verify_data has 12 bytes and differs by side", () => {
  const [client, server] = (["client", "server"] as const).map((side) =>
    verifyData("sha256", new Uint8Array(48), side, new Uint8Array(32)),
  );
  assert.equal(client?.length, 12);
  assert.equal(server?.length, 12);
  assert.notDeepEqual(client, server);
});

test("RFC 4279 §2, RFC 5489 §2: the premaster secret of a key alone, and with an agreed secret", () => {
  assert.deepEqual(pskPremaster(Uint8Array.of(1, 2, 3)), Buffer.from("00030000000003010203", "hex"));
  assert.deepEqual(pskPremaster(Uint8Array.of(1, 2, 3), Uint8Array.of(9, 8)), Buffer.from("000209080003010203", "hex"));
  assert.deepEqual(pskPremaster(new Uint8Array(0)), Buffer.alloc(4));
});

test("RFC 2104 §2: the HMAC is node:crypto's for keys and texts around every block border", () => {
  for (const hash of ["sha256", "sha384"] as const) {
    for (const keyBytes of [0, 1, 32, 63, 64, 65, 127, 128, 129, 300]) {
      for (const textBytes of [0, 1, 55, 56, 64, 200, 511, 512, 513, 2_000]) {
        const [key, text] = [random.bytes(keyBytes), random.bytes(textBytes)];
        const at = random.integer(textBytes + 1);
        const mac = hmac(hash, key, text.subarray(0, at), text.subarray(at));
        assert.deepEqual(mac, createHmac(hash, key).update(text).digest(), `${hash}, key ${keyBytes}, text ${textBytes}`);
        assert.equal(mac.length, hashBytesOf(hash));
      }
    }
  }
});

test("RFC 6655 §3, RFC 5487, RFC 5289, RFC 7251, RFC 8442: each suite once, its name, hash, key sizes and tag agreeing", () => {
  const suites = everySuite();
  assert.equal(new Set(suites.map(({ id }) => id)).size, suites.length);
  for (const suite of suites) {
    assert.equal(suiteOf(suite.id), suite);
    const [, exchange = "", bits = "", mode = "", tail = ""] = /^(\w+)_WITH_AES_(128|256)_(CCM|GCM|CBC)_?(.*)$/.exec(suite.name) ?? [];
    assert.equal(suite.keyExchange, exchange.toLowerCase());
    assert.equal(suite.keyBytes * 8, Number(bits));
    assert.equal(suite.prfHash, tail.includes("SHA384") ? "sha384" : "sha256");
    assert.equal(suite.tagBytes, mode === "CBC" ? 32 : tail.startsWith("8") ? 8 : 16);
    assert.equal(suite.cipher, `aes-${bits}-${mode.toLowerCase()}${tail.startsWith("8") ? "-8" : ""}`);
    assert.equal(suite.aead, mode !== "CBC");
    assert.equal(suite.macKeyBytes, suite.aead ? 0 : 32);
    assert.equal(suite.ivBytes + suite.explicitNonceBytes, suite.aead ? 12 : 16);
  }
  for (const signal of [0x00ff, 0x5600, 0x1301, 0]) assert.equal(suiteOf(signal), undefined);
});
