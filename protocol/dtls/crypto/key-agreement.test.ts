import assert from "node:assert/strict";
import { createECDH } from "node:crypto";
import { test } from "node:test";
import { AlertDescription, NamedGroup } from "../constants.ts";
import { bytesOf } from "../testing/recorded-messages.ts";
import { DtlsFormatError } from "../wire/format-error.ts";
import { ephemeralOf, isKnownGroup, makeEphemeral } from "./key-agreement.ts";

interface Vector {
  readonly source: string;
  readonly group: NamedGroup;
  readonly privateKeys: readonly [string, string];
  readonly publicKeys: readonly [string, string];
  readonly secret: string;
}

const vectors: readonly Vector[] = [
  {
    source: "RFC 7748 §6.1",
    group: NamedGroup.x25519,
    privateKeys: [
      "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
      "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    ],
    publicKeys: [
      "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
      "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
    ],
    secret: "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
  },
  {
    source: "RFC 5903 §8.1",
    group: NamedGroup.secp256r1,
    privateKeys: [
      "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
      "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
    ],
    publicKeys: [
      "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180" +
        "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
      "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63" +
        "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
    ],
    secret: "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
  },
  {
    source: "RFC 5903 §8.2",
    group: NamedGroup.secp384r1,
    privateKeys: [
      "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
      "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e4bd55a7448fc",
    ],
    publicKeys: [
      "04667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa" +
        "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
      "04e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571" +
        "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
    ],
    secret: "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746",
  },
];
const groups = vectors.map(({ group }) => group);

function refuses(group: NamedGroup, share: Uint8Array): void {
  assert.throws(
    () => makeEphemeral(group).agree(share),
    (error) => error instanceof DtlsFormatError && error.code === "public-key" && error.alert === AlertDescription.illegalParameter,
    `group ${group}: ${Buffer.from(share).toString("hex")}`,
  );
}

for (const { source, group, privateKeys, publicKeys, secret } of vectors) {
  test(`${source}: both sides of group ${group} agree on the published secret`, () => {
    const sides = privateKeys.map((key) => ephemeralOf(group, bytesOf(key)));
    assert.deepEqual(
      sides.map(({ publicKey }) => Buffer.from(publicKey).toString("hex")),
      publicKeys,
    );
    const secrets = sides.map((side, i) => Buffer.from(side.agree(bytesOf(publicKeys[1 - i] ?? ""))).toString("hex"));
    assert.deepEqual(secrets, [secret, secret]);
  });
}

test("RFC 8422 §5.4: two fresh pairs of every group agree, and no pair comes twice", () => {
  for (const group of groups) {
    const [a, b] = [makeEphemeral(group), makeEphemeral(group)];
    assert.equal(a.group, group);
    assert.notDeepEqual(a.publicKey, b.publicKey);
    assert.deepEqual(a.agree(b.publicKey), b.agree(a.publicKey));
  }
});

test("RFC 8422 §5.10: a share cut anywhere, too long, off the curve or at infinity is illegal_parameter", () => {
  for (const group of groups) {
    const share = makeEphemeral(group).publicKey;
    for (let length = 0; length < share.length; length++) refuses(group, share.slice(0, length));
    refuses(group, Uint8Array.of(...share, 0));
    if (group === NamedGroup.x25519) continue;
    const off = Uint8Array.from(share);
    off[share.length - 1] = (off[share.length - 1] ?? 0) ^ 1;
    refuses(group, off);
    refuses(group, Uint8Array.of(4, ...new Uint8Array(share.length - 1)));
  }
});

test("RFC 8422 §5.4.1: compressed and hybrid points are refused, though OpenSSL reads them", () => {
  for (const [group, curve] of [
    [NamedGroup.secp256r1, "prime256v1"],
    [NamedGroup.secp384r1, "secp384r1"],
  ] as const) {
    const ecdh = createECDH(curve);
    ecdh.generateKeys();
    for (const form of ["compressed", "hybrid"] as const) refuses(group, ecdh.getPublicKey(null, form));
  }
});

test("RFC 8422 §5.11, RFC 7748 §6.1: shares of small order, whose secret is zero, are refused", () => {
  for (const point of [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ]) {
    refuses(NamedGroup.x25519, bytesOf(point));
  }
});

test("RFC 8422 §5.1.1: only the three groups of the table are known", () => {
  assert.deepEqual([0, 19, 22, 23, 24, 25, 28, 29, 30, 256, 0xff01].filter(isKnownGroup), [
    NamedGroup.secp256r1,
    NamedGroup.secp384r1,
    NamedGroup.x25519,
  ]);
});
