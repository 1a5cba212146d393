import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDeviceOptions } from "../command-line.ts";

const secured = (...flags: string[]) => parseDeviceOptions(["--endpoint", "dev", "--server", "coaps://127.0.0.1", ...flags]);
const problemOf = (parsed: ReturnType<typeof parseDeviceOptions>) => (parsed.ok ? "accepted" : parsed.problem);

function credentialOf(...flags: string[]) {
  const parsed = secured(...flags);
  assert.ok(parsed.ok, problemOf(parsed));
  return parsed.options.security.credential;
}

test("--psk: the identity may have colons, the last one parts it from the key", () => {
  const credential = credentialOf("--psk", "urn:imei:490154203237518:00fF");
  assert.ok(credential?.kind === "psk");
  assert.deepEqual([credential.identity, [...credential.key]], ["urn:imei:490154203237518", [0, 255]]);
  const filed = credentialOf("--psk", "urn:dev:00ff", "--psk-key-file", "key");
  assert.ok(filed?.kind === "psk-file");
  assert.equal(filed.identity, "urn:dev:00ff");
});

test("--psk: a key that is none is not repeated in the message", () => {
  for (const given of ["dev", ":00ff", "dev:", "dev:secret", "dev:00f", `dev:${"00".repeat(65)}`]) {
    const problem = problemOf(secured("--psk", given));
    assert.equal(problem, "--psk is IDENTITY:HEX with a key of 1 to 64 bytes, or IDENTITY with --psk-key-file");
  }
});

test("connections: ids, suites by name or number, extended master secret", () => {
  const dtlsOf = (...flags: string[]) => {
    const parsed = secured("--psk", "dev:00ff", ...flags);
    assert.ok(parsed.ok, problemOf(parsed));
    return parsed.options.security.dtls;
  };
  assert.equal(dtlsOf().connectionIdBytes, undefined);
  assert.equal(dtlsOf("--cid").connectionIdBytes, 0);
  assert.equal(dtlsOf("--cid", "--no-ems").requireExtendedMasterSecret, false);
  assert.equal(dtlsOf("--cid", "6").connectionIdBytes, 6);
  assert.deepEqual(
    dtlsOf("--suites", "TLS_PSK_WITH_AES_128_GCM_SHA256,psk_with_aes_128_ccm_8,0xc0a4").cipherSuites,
    [0xa8, 0xc0a8, 0xc0a4],
  );
});

const wrong: readonly (readonly [readonly string[], string])[] = [
  [[], "a coaps URI needs a credential: --psk, --rpk or --cert"],
  [["--psk", "a:00", "--rpk", "k"], "one of --psk, --rpk and --cert, got --psk and --rpk"],
  [["--rpk", "k"], "--rpk needs --server-key FILE"],
  [["--psk", "a:00", "--server-key", "k"], "--server-key goes with --rpk"],
  [["--rpk", "k", "--server-key", "s", "--psk-key-file", "f"], "--psk-key-file goes with --psk"],
  [["--cert", "c"], "--cert needs --key FILE"],
  [["--cert", "c", "--key", "k"], "--cert needs --server-cert FILE"],
  [["--cert", "c", "--key", "k", "--server-cert", "s", "--cert-usage", "0"], "--cert-usage 0 needs --ca FILE"],
  [["--cert", "c", "--key", "k", "--server-cert", "s", "--cert-usage", "4"], "--cert-usage is a number from 0 to 3, got 4"],
  [["--cert", "c", "--key", "k", "--server-cert", "s", "--ca", "a"], "--ca goes with --cert-usage 0 or 1"],
  [["--cert", "c", "--key", "k", "--server-cert", "s", "--matching-type", "9"], "--matching-type is a number from 0 to 3, got 9"],
  [["--psk", "a:00", "--cid", "21"], "--cid is a number from 0 to 20, got 21"],
  [["--psk", "a:00", "--version", "1.0", "--sni", "x"], "--sni needs LwM2M 1.1: object 0 of 1.0 has no place for it"],
];

for (const [flags, problem] of wrong) {
  test(`security flags: ${flags.join(" ") || "none"}`, () => assert.equal(problemOf(secured(...flags)), problem));
}

test("security flags: without a coaps URI they are a mistake, but a bootstrap server may bring one", () => {
  const clear = (...flags: string[]) => problemOf(parseDeviceOptions(["--endpoint", "dev", ...flags]));
  assert.equal(clear("--server", "coap://127.0.0.1", "--psk", "a:00"), "--psk is for a coaps URI");
  assert.equal(clear("--server", "coap://127.0.0.1", "--cid"), "--cid is for a coaps URI");
  assert.equal(clear("--server", "coap://127.0.0.1", "--sni", "x"), "--sni goes with --psk, --rpk or --cert");
  assert.equal(clear("--bootstrap", "coap://127.0.0.1", "--cid"), "accepted");
  assert.match(problemOf(secured("--psk", "a:00", "--suites", "ROT13")), /^--suites: ROT13 is none of PSK_WITH/);
});
