/** What this server proves to be: a key of its own per realm and server name, shown raw (RFC 7250) or in a certificate. Pure but for the key made. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { makeOwnKey, readCertificates, readPrivateKey } from "@lwm2m/protocol/dtls/credentials/own-key";
import type { OwnKey } from "@lwm2m/protocol/dtls/credentials-contract";
import { makeSelfSignedCertificate } from "@lwm2m/protocol/dtls/x509/self-signed-certificate";
import { X509Error } from "@lwm2m/protocol/dtls/x509/x509-error";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { Realm } from "../security/device-credentials.ts";
import type { CollectionDefinition, Json } from "../storage/collection.ts";
import { type Read, realmIn } from "./credential.ts";
import { type Entry, entryIndexes } from "./entry-store.ts";
import type { Fault } from "./key-text.ts";

export interface ServerIdentity extends Entry {
  /** The SNI name it answers to, in lower case; empty for the one that answers to every other name and to none. */
  readonly serverName: string;
  /** Base64 of SubjectPublicKeyInfo. */
  readonly publicKey: string;
  /** Base64 of DER certificates, leaf first. */
  readonly chain: readonly string[];
  /** Made by this server; false for a key that was given. */
  readonly generated: boolean;
}

export const serverIdentityCollection: CollectionDefinition = { name: "serverIdentities", indexes: entryIndexes };

/** The field that is sealed: PKCS #8, DER. */
export const privateKeyField = "privateKey";

export interface IdentityRequest {
  readonly realm: Realm;
  readonly serverName: string;
  /** Undefined keeps the one there is, or makes one. */
  readonly privateKey: KeyObject | undefined;
  /** Undefined makes a self-signed one. */
  readonly chain: readonly Uint8Array[] | undefined;
}

/** RFC 1035 §3.1, in the form RFC 6066 §3 sends: letters, digits, hyphens, no dot at the end. */
export const serverNamePattern =
  "^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$";

/** From a body that fits the schema. No fault shows a character of the key. */
export function readIdentity(body: { readonly [member: string]: Json }): Read<IdentityRequest> {
  const faults: Fault[] = [];
  const { privateKey, chain, serverName = "" } = body;
  const key = privateKey === undefined ? undefined : readMember("/privateKey", () => readPrivateKey(String(privateKey)), faults);
  if (key !== undefined) readMember("/privateKey", () => makeOwnKey(key), faults);
  const certificates = chain === undefined ? undefined : readMember("/chain", () => readCertificates(String(chain)), faults);
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, value: { realm: realmIn(body), serverName: String(serverName).toLowerCase(), privateKey: key, chain: certificates } };
}

function readMember<T>(pointer: string, read: () => T, faults: Fault[]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof X509Error)) throw error;
    faults.push({ pointer, detail: error.message });
    return undefined;
  }
}

export function identityLookup(serverName: string): string {
  return `name:${serverName}`;
}

/** Twenty years ahead an end is still a UTCTime, which every stack reads; devices pin the certificate, so an early end would lock them out. */
const validityMs = 20 * 31_557_600_000;
/** Clocks of devices are behind. */
const marginMs = 86_400_000;
const usualName = "lwm2m-server";
/** RFC 5280 appendix A.1, ub-common-name. */
const mostNameCharacters = 64;

export function newPrivateKey(): KeyObject {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  // Imported again: on Node 20 a key just made waits for ever when its details are asked for while the job that made it is collected.
  return createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" }));
}

/** Throws `X509Error` when the chain is for another key. A key that is not of P-256 needs a chain, else it is offered raw only. */
export function ownKeyOf(
  privateKey: KeyObject,
  chain: readonly Uint8Array[] | undefined,
  serverName: string,
  { random, nowMs }: { readonly random: Random; readonly nowMs: number },
): OwnKey {
  if (chain !== undefined) return makeOwnKey(privateKey, chain);
  if (privateKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") return makeOwnKey(privateKey);
  const commonName = serverName === "" || serverName.length > mostNameCharacters ? usualName : serverName;
  const dnsNames = serverName === "" ? [] : [serverName];
  const wish = { privateKey, commonName, dnsNames, notBefore: nowMs - marginMs, notAfter: nowMs + validityMs };
  return makeOwnKey(privateKey, [makeSelfSignedCertificate(wish, random)]);
}
