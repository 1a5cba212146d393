/** The server's own keys: made at the first start, replaced by what an operator has, in memory for the handshakes. */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { OwnKey } from "@lwm2m/protocol/dtls/credentials-contract";
import { X509Error } from "@lwm2m/protocol/dtls/x509/x509-error";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { type Realm, realms } from "../security/device-credentials.ts";
import { openFields, sealFields } from "../security/sealed-documents.ts";
import type { SecretBox } from "../security/secret-box.ts";
import { ulid } from "../ulid.ts";
import { type EntryNews, EntryStore, type EntryStoreDeps, type Own, type PageQuery } from "./entry-store.ts";
import {
  type IdentityRequest,
  identityLookup,
  newPrivateKey,
  ownKeyOf,
  privateKeyField,
  type ServerIdentity,
  serverIdentityCollection,
} from "./server-identity.ts";

export interface ServerIdentityServiceDeps extends EntryStoreDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly secrets: SecretBox;
}

export type IdentityOutcome =
  | { readonly ok: true; readonly identity: ServerIdentity }
  | { readonly ok: false; readonly reason: "taken" | "unknown" | "other-realm" | "other-name" }
  /** The certificate is for another key, or too many. */
  | { readonly ok: false; readonly reason: "chain"; readonly detail: string };

export type RemovalOutcome = "removed" | "unknown" | "needed";

const pageSize = 500;

/** Makes what is missing: afterwards each realm has the identity that answers to any name. */
export async function openServerIdentityService(deps: ServerIdentityServiceDeps): Promise<ServerIdentityService> {
  const service = new ServerIdentityService(deps);
  await service.read();
  for (const realm of realms) {
    if (service.ownKeyFor(realm, undefined) === undefined) {
      await service.create({ realm, serverName: "", privateKey: undefined, chain: undefined });
    }
  }
  return service;
}

interface Held {
  readonly id: string;
  readonly rev: number;
  readonly own: OwnKey;
}

export class ServerIdentityService {
  readonly #deps: ServerIdentityServiceDeps;
  readonly #entries: EntryStore<ServerIdentity>;
  /** By realm and server name. */
  readonly #held = new Map<string, Held>();

  constructor(deps: ServerIdentityServiceDeps) {
    this.#deps = deps;
    this.#entries = new EntryStore<ServerIdentity>(deps, serverIdentityCollection);
  }

  /** At start. */
  async read(): Promise<void> {
    await this.#entries.sweep();
    for (let after = ""; ; ) {
      const page = await this.#entries.list({}, { after, limit: pageSize });
      for (const entry of page) this.#hold(entry);
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last._id;
    }
  }

  /** For the SNI name a client sent; one that nobody was set up for gets the usual identity, as clients send whatever host they were told. */
  ownKeyFor(realm: Realm, serverName: string | undefined): OwnKey | undefined {
    const named = serverName === undefined ? undefined : this.#held.get(heldName(realm, serverName.toLowerCase()));
    return (named ?? this.#held.get(heldName(realm, "")))?.own;
  }

  find(id: string): Promise<ServerIdentity | undefined> {
    return this.#entries.find(id);
  }

  list(page: PageQuery): Promise<readonly ServerIdentity[]> {
    return this.#entries.list({}, page);
  }

  async create(request: IdentityRequest): Promise<IdentityOutcome> {
    const id = ulid(this.#deps.clock.now(), this.#deps.random);
    const own = this.#own(id, request, undefined);
    if ("reason" in own) return own;
    const identity = await this.#entries.insert(id, own, newsOf("created", id, request));
    if (identity === undefined) return { ok: false, reason: "taken" };
    this.#hold(identity);
    return { ok: true, identity };
  }

  /** Connections that live go on: they were made with the former key, and it was good. */
  async replace(id: string, request: IdentityRequest): Promise<IdentityOutcome> {
    for (;;) {
      const before = await this.#entries.find(id);
      if (before === undefined) return { ok: false, reason: "unknown" };
      if (before.realm !== request.realm) return { ok: false, reason: "other-realm" };
      if (before.serverName !== request.serverName) return { ok: false, reason: "other-name" };
      const own = this.#own(id, request, before);
      if ("reason" in own) return own;
      if (own.publicKey === before.publicKey && sameChain(own.chain, before.chain)) return { ok: true, identity: before };
      const after = await this.#entries.replace(before, own, newsOf("replaced", id, request));
      if (after === "changed") continue;
      if (after === "duplicate") return { ok: false, reason: "taken" };
      this.#hold(after);
      return { ok: true, identity: after };
    }
  }

  async remove(id: string): Promise<RemovalOutcome> {
    for (;;) {
      const before = await this.#entries.find(id);
      if (before === undefined) return "unknown";
      if (before.serverName === "") return "needed";
      if (!(await this.#entries.remove(before, newsOf("removed", id, before)))) continue;
      this.#held.delete(heldName(before.realm, before.serverName));
      return "removed";
    }
  }

  #own(id: string, request: IdentityRequest, before: ServerIdentity | undefined): Own<ServerIdentity> | (IdentityOutcome & { ok: false }) {
    const { realm, serverName, chain } = request;
    const kept = before === undefined || request.privateKey !== undefined ? undefined : this.#keyOf(before);
    const privateKey = request.privateKey ?? kept ?? newPrivateKey();
    // The key stays and no chain is given: its certificate stays, too, so that the same request again changes nothing.
    const keeps = before !== undefined && chain === undefined && publicKeyOf(privateKey) === before.publicKey && before.chain.length > 0;
    try {
      const certificates = keeps ? before.chain.map(bytesOf) : chain;
      const own = ownKeyOf(privateKey, certificates, serverName, { random: this.#deps.random, nowMs: this.#deps.clock.now() });
      const der = new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" }));
      return {
        realm,
        serverName,
        lookup: identityLookup(serverName),
        publicKey: textOf(own.publicKey),
        chain: (own.chain ?? []).map(textOf),
        generated: kept === undefined ? request.privateKey === undefined : (before?.generated ?? true),
        ...sealFields(this.#deps.secrets, serverIdentityCollection, id, { [privateKeyField]: der }),
      };
    } catch (error) {
      if (!(error instanceof X509Error)) throw error;
      return { ok: false, reason: "chain", detail: error.message };
    }
  }

  #keyOf(entry: ServerIdentity): KeyObject {
    const der = openFields(this.#deps.secrets, serverIdentityCollection, entry)[privateKeyField];
    if (der === undefined) throw new Error(`server identity ${entry._id} has no private key`);
    return createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  }

  #hold(entry: ServerIdentity): void {
    const name = heldName(entry.realm, entry.serverName);
    const held = this.#held.get(name);
    if (held?.id === entry._id && held.rev >= entry.rev) return;
    const chain = entry.chain.map(bytesOf);
    const own: OwnKey = { privateKey: this.#keyOf(entry), publicKey: bytesOf(entry.publicKey), ...(chain.length === 0 ? {} : { chain }) };
    this.#held.set(name, { id: entry._id, rev: entry.rev, own });
  }
}

function publicKeyOf(privateKey: KeyObject): string {
  return textOf(createPublicKey(privateKey).export({ type: "spki", format: "der" }));
}

function heldName(realm: Realm, serverName: string): string {
  return `${realm}/${serverName}`;
}

function sameChain(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((certificate, index) => certificate === other[index]);
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function newsOf(
  change: "created" | "replaced" | "removed",
  id: string,
  { realm, serverName }: Pick<ServerIdentity, "realm" | "serverName">,
): EntryNews {
  return {
    type: `credential.${change}`,
    subject: id,
    data: { id, of: "server", realm, serverName: serverName === "" ? null : serverName },
  };
}
