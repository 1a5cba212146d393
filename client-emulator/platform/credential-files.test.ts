import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeClientCredentials } from "../security/client-credentials.ts";
import { derivePsk } from "../security/derived-psk.ts";
import { usualDtls } from "../security/dtls-client-settings.ts";
import type { SecurityCredential } from "../security/security-credential.ts";
import { anIdentity } from "../testing/secure-world.ts";
import { loadCredential, loadFleetSecret } from "./credential-files.ts";
import { loadState, saveState } from "./state-file.ts";

function folder(t: TestContext, files: Readonly<Record<string, string | Uint8Array>> = {}): (name: string) => string {
  const path = mkdtempSync(join(tmpdir(), "emulator-"));
  t.after(() => rmSync(path, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return (name) => join(path, name);
}

const around = { host: "127.0.0.1", anchors: [], cipherSuites: usualDtls.cipherSuites, now: () => 0 };
const problemOf = (credential: SecurityCredential) => {
  const outcome = makeClientCredentials(credential, around);
  return outcome.ok ? "fits" : outcome.problem;
};
const pem = (label: string, der: Uint8Array) =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString("base64")}\n-----END ${label}-----\n`;

test("a raw public key pair, from PEM and from DER, is the same credential", (t) => {
  const [own, server] = [anIdentity("dev", 0), anIdentity("server", 0)];
  const path = folder(t, {
    "own.pem": own.privateKey.export({ type: "sec1", format: "pem" }).toString(),
    "own.der": own.privateDer,
    "server.pem": pem("PUBLIC KEY", server.publicKey),
    "server.der": server.publicKey,
  });
  const load = (form: string) =>
    loadCredential({ kind: "rpk", keyFile: path(`own.${form}`), serverKeyFile: path(`server.${form}`), serverName: undefined }).credential;
  assert.deepEqual(load("pem"), load("der"));
  assert.deepEqual(load("pem").identity, own.publicKey);
  assert.equal(problemOf(load("der")), "fits");
});

test("a chain is kept in one resource, and the server's certificate by its hash", (t) => {
  const [own, above, server] = [anIdentity("dev", 0), anIdentity("above", 0), anIdentity("server", 0)];
  const path = folder(t, {
    "chain.pem": pem("CERTIFICATE", own.certificate) + pem("CERTIFICATE", above.certificate),
    "own.der": own.privateDer,
    "server.der": server.certificate,
  });
  const source = {
    kind: "certificate",
    chainFile: path("chain.pem"),
    keyFile: path("own.der"),
    serverCertificateFile: path("server.der"),
    certificateUsage: undefined,
    matchingType: 2,
    anchorFile: undefined,
    serverName: undefined,
  } as const;
  const { credential } = loadCredential(source);
  assert.deepEqual(Buffer.from(credential.serverKey), createHash("sha384").update(server.certificate).digest());
  const outcome = makeClientCredentials(credential, around);
  assert.ok(outcome.ok);
  assert.deepEqual(outcome.credentials.own?.chain, [own.certificate, above.certificate]);
  writeFileSync(path("other.der"), above.privateDer);
  const mixed = loadCredential({ ...source, keyFile: path("other.der") }).credential;
  assert.equal(problemOf(mixed), "the certificate is for another key than the private key");
});

test("files that are none of it: one line with the file's name, nothing of what is in it", (t) => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1_024 });
  const path = folder(t, {
    "key.hex": "top secret",
    "short.secret": "fifteen letters",
    rsa: publicKey.export({ type: "spki", format: "der" }),
  });
  const psk = { kind: "psk-file", identity: "dev", keyFile: path("key.hex"), serverName: undefined } as const;
  assert.throws(() => loadCredential(psk), { message: `${path("key.hex")}: a key in hexadecimal of 1 to 64 bytes is expected` });
  const rpk = { kind: "rpk", keyFile: path("key.hex"), serverKeyFile: path("rsa"), serverName: undefined } as const;
  assert.throws(() => loadCredential(rpk), { message: /key\.hex: a private key that is none/ });
  assert.throws(() => loadCredential({ ...rpk, keyFile: path("none") }), { message: /^cannot read .*none/ });
  assert.throws(() => loadFleetSecret(path("short.secret"), undefined), { message: /has 15 characters, at least 16/ });
  assert.throws(() => loadFleetSecret(undefined, undefined), { message: /--psk-secret-file FILE or FLEET_PSK_SECRET/ });
});

test("keys of a fleet: HMAC-SHA256 of the identity, 16 bytes, as `openssl dgst -hmac` says", (t) => {
  const path = folder(t, { secret: "aaaaaaaaaaaaaaaaaaaa\n" });
  const { identity, key } = derivePsk(loadFleetSecret(path("secret"), "unused"), "x/", "fleet-0");
  assert.deepEqual([identity, Buffer.from(key).toString("hex")], ["x/fleet-0", "15f46919d982548134bc980c9d6f6779"]);
});

test("state file: readable by its owner alone, also when it replaces one that was not", (t) => {
  const path = folder(t, { state: "{}", "state.new": "left over" });
  const state = { firmwareVersion: "2.0.0", accounts: [["/0/0/5", "AQID"]] } as const;
  saveState(path("state"), state);
  assert.equal(statSync(path("state")).mode & 0o777, 0o600);
  assert.deepEqual(loadState(path("state")), state);
  assert.equal(loadState(path("absent")), undefined);
  for (const bad of ["", "[]", '{"accounts":[["/0/0/5"]]}', '{"firmwareName":1}', '{"accounts":[["/0/0/5",{}]]}']) {
    writeFileSync(path("state"), bad);
    assert.throws(() => loadState(path("state")), { message: `${path("state")} is not a state file of the emulator` });
  }
});
