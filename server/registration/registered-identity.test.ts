import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { PeerIdentity } from "@lwm2m/protocol/coap/message";
import { identityView, isSameIdentity, registeredIdentity } from "./registered-identity.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const psk = (bytes: string | Buffer): PeerIdentity => ({ kind: "psk", identity: Buffer.from(bytes) });
const rpk = (key: string): PeerIdentity => ({ kind: "rpk", publicKey: Buffer.from(key) });
const x509 = (certificate: string): PeerIdentity => ({
  kind: "x509",
  certificate: Buffer.from(certificate),
  commonName: "dev-1",
  dnsNames: ["dev-1.example"],
  uris: [],
  anchorSha256: undefined,
});

test("what is shown of an identity: text where it is one, hashes of keys, names of certificates", () => {
  const shown = [{ kind: "none" } as const, psk("urn:imei:35"), psk(Buffer.of(0xff, 0)), psk("a\nb"), rpk("k"), x509("c")].map((identity) =>
    identityView(registeredIdentity(identity)),
  );
  assert.deepEqual(shown, [
    { kind: "none" },
    { kind: "psk", identity: "urn:imei:35" },
    { kind: "psk", identityBase64: "/wA=" },
    { kind: "psk", identityBase64: Buffer.from("a\nb").toString("base64") },
    { kind: "rpk", publicKeySha256: sha256("k") },
    { kind: "x509", certificateSha256: sha256("c"), commonName: "dev-1", dnsNames: ["dev-1.example"], uris: [] },
  ]);
});

test("who is the same: equal PSK identity bytes, the same raw key, any certificate that says the same endpoint", () => {
  const all = [{ kind: "none" } as const, psk("a"), psk("b"), rpk("k"), rpk("l"), x509("c"), x509("renewed")];
  const same = all.map((registered) => all.map((now) => (isSameIdentity(registeredIdentity(registered), now) ? 1 : 0)).join(""));
  assert.deepEqual(same, ["1000000", "0100000", "0010000", "0001000", "0000100", "0000011", "0000011"]);
});
