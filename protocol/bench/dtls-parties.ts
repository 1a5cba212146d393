/** Who proves what in the DTLS benchmarks: keys and certificates in a folder, made anew each run, that all processes read. */
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientVerifier } from "../dtls/credentials/client-verifier.ts";
import { KeyCache } from "../dtls/credentials/key-cache.ts";
import { serverVerifier } from "../dtls/credentials/server-verifier.ts";
import type { ClientCredentials, OwnKey, ServerRealm } from "../dtls/credentials-contract.ts";
import { issue, makeTestAuthority } from "../dtls/testing/test-authority.ts";
import { parseCertificate } from "../dtls/x509/certificate.ts";
import type { DtlsCrypto } from "../platform/dtls-crypto.ts";
import { systemClock } from "../platform/system-clock.ts";
import { systemRandom } from "../platform/system-random.ts";

export type Proof = "psk" | "rpk" | "x509";

/** What a server does, for whom; by text from process to process. */
export interface DtlsServing {
  readonly mode: "echo" | "send";
  readonly proof: Proof;
  readonly folder: string;
  readonly clients: number;
  /** Of the connection ids it gives out; absent, it negotiates none. */
  readonly idBytes?: number;
  /** Default "auto". */
  readonly crypto?: DtlsCrypto;
}

const pskBytes = 16;
/** Fewer than the clients, so that a client's key is imported in each handshake: a fleet is larger than any cache of keys. */
const cachedKeys = 16;

export async function withParties<T>(clients: number, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "dtls-bench-"));
  try {
    writeParties(folder, clients);
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeParties(folder: string, clients: number): void {
  const authority = makeTestAuthority("bench authority");
  writeFileSync(join(folder, "psk"), systemRandom.bytes(pskBytes));
  writeFileSync(join(folder, "authority.certificate"), authority.certificate);
  for (const name of ["server", ...Array.from({ length: clients }, (_, index) => `client-${index}`)]) {
    const issued = issue(authority, { commonName: name });
    writeFileSync(join(folder, `${name}.key`), issued.privateKey.export({ type: "pkcs8", format: "der" }));
    writeFileSync(join(folder, `${name}.public`), issued.publicKey);
    writeFileSync(join(folder, `${name}.certificate`), issued.certificate);
  }
}

export function realmOf({ proof, folder }: DtlsServing): ServerRealm {
  if (proof === "psk") {
    const key = readFileSync(join(folder, "psk"));
    return { findPsk: () => key };
  }
  const anchors = [parseCertificate(readFileSync(join(folder, "authority.certificate")))];
  const trust = { anchors, isKnownKey: () => proof === "rpk", isKnownCertificate: () => false };
  const verifyClient = clientVerifier({ trust, clock: systemClock, keys: new KeyCache(cachedKeys) });
  return { own: ownKey(folder, "server", proof), clientTypes: [proof], verifyClient };
}

export function credentialsOf(proof: Proof, folder: string, client: number): ClientCredentials {
  if (proof === "psk") return { psk: { identity: Buffer.from(`bench-${client}`), key: readFileSync(join(folder, "psk")) } };
  const reference = readFileSync(join(folder, proof === "rpk" ? "server.public" : "server.certificate"));
  return {
    own: ownKey(folder, `client-${client}`, proof),
    serverTypes: [proof],
    verifyServer: serverVerifier({ reference, now: () => Date.now() }),
  };
}

function ownKey(folder: string, name: string, proof: "rpk" | "x509"): OwnKey {
  const privateKey = createPrivateKey({ key: readFileSync(join(folder, `${name}.key`)), format: "der", type: "pkcs8" });
  const publicKey = readFileSync(join(folder, `${name}.public`));
  return proof === "rpk"
    ? { privateKey, publicKey }
    : { privateKey, publicKey, chain: [readFileSync(join(folder, `${name}.certificate`))] };
}
