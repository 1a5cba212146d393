/** Credentials from the files people have, in the form object 0 keeps them. Throws with one clear line, and never a byte of a key. */
import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { readCertificates, readPrivateKey } from "@lwm2m/protocol/dtls/credentials/own-key";
import { leastSecretCharacters } from "../security/derived-psk.ts";
import { pskCredential, type SecurityCredential, SecurityMode } from "../security/security-credential.ts";
import { type CredentialSource, findPskKey } from "../security/security-flags.ts";

export interface LoadedCredential {
  readonly credential: SecurityCredential;
  readonly trustAnchors: readonly Uint8Array[];
}

/** Object 0, resource 13. */
const hashes: readonly (string | undefined)[] = [undefined, "sha256", "sha384", "sha512"];

export function loadCredential(source: CredentialSource): LoadedCredential {
  const { serverName } = source;
  switch (source.kind) {
    case "psk":
      return { credential: pskCredential(source.identity, source.key, serverName), trustAnchors: [] };
    case "psk-file":
      return { credential: pskCredential(source.identity, readPskKey(source.keyFile), serverName), trustAnchors: [] };
    case "rpk": {
      const secret = readKey(source.keyFile);
      const serverKey = readPublicKey(source.serverKeyFile);
      const identity = publicKeyOf(secret);
      return { credential: { mode: SecurityMode.rawPublicKey, identity, serverKey, secret, serverName }, trustAnchors: [] };
    }
    case "certificate": {
      const { certificateUsage, matchingType } = source;
      const [server = new Uint8Array(0)] = readChain(source.serverCertificateFile);
      const credential = {
        mode: SecurityMode.certificate,
        identity: new Uint8Array(Buffer.concat(readChain(source.chainFile))),
        serverKey: hashed(server, hashes[matchingType]),
        secret: readKey(source.keyFile),
        serverName,
        // Absent where they say what is meant without them: object 0 of LwM2M 1.0 has neither.
        ...(certificateUsage === undefined ? {} : { certificateUsage }),
        ...(matchingType === 0 ? {} : { matchingType }),
      };
      return { credential, trustAnchors: source.anchorFile === undefined ? [] : readChain(source.anchorFile) };
    }
  }
}

/** A key in hexadecimal, with or without a line end. */
function readPskKey(path: string): Uint8Array {
  const key = findPskKey(readBytes(path).toString("utf8").trim());
  if (key === undefined) throw new Error(`${path}: a key in hexadecimal of 1 to 64 bytes is expected`);
  return key;
}

/** The secret of a fleet: of the file where one is named, of the environment otherwise. */
export function loadFleetSecret(path: string | undefined, fromEnvironment: string | undefined): string {
  const secret =
    path === undefined
      ? fromEnvironment
      : readBytes(path)
          .toString("utf8")
          .replace(/\r?\n$/, "");
  if (secret === undefined) throw new Error("a coaps URI needs a secret: --psk-secret-file FILE or FLEET_PSK_SECRET");
  if (secret.length < leastSecretCharacters)
    throw new Error(`the secret of the fleet has ${secret.length} characters, at least ${leastSecretCharacters} are needed`);
  return secret;
}

function readKey(path: string): Uint8Array {
  const bytes = readBytes(path);
  return named(
    path,
    () => new Uint8Array(readPrivateKey(isPem(bytes) ? bytes.toString("utf8") : bytes).export({ type: "pkcs8", format: "der" })),
  );
}

function readPublicKey(path: string): Uint8Array {
  const bytes = readBytes(path);
  try {
    const key = isPem(bytes) ? createPublicKey(bytes) : createPublicKey({ key: bytes, format: "der", type: "spki" });
    return new Uint8Array(key.export({ type: "spki", format: "der" }));
  } catch {
    // What OpenSSL says of a wrong file helps nobody.
    throw new Error(`${path}: a public key is expected (SubjectPublicKeyInfo, PEM or DER)`);
  }
}

function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  const key = readPrivateKey(privateKey);
  return new Uint8Array(createPublicKey(key).export({ type: "spki", format: "der" }));
}

function readChain(path: string): readonly Uint8Array[] {
  const bytes = readBytes(path);
  return isPem(bytes) ? named(path, () => readCertificates(bytes.toString("utf8"))) : [new Uint8Array(bytes)];
}

function hashed(bytes: Uint8Array, hash: string | undefined): Uint8Array {
  return hash === undefined ? bytes : new Uint8Array(createHash(hash).update(bytes).digest());
}

function isPem(bytes: Buffer): boolean {
  return bytes.includes("-----BEGIN ");
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
