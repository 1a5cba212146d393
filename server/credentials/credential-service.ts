/** Credentials made, replaced and removed; whom an identity stands for. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { IdentityMatch, Realm } from "../security/device-credentials.ts";
import { openFields, sealFields } from "../security/sealed-documents.ts";
import type { SecretBox } from "../security/secret-box.ts";
import { ulid } from "../ulid.ts";
import { type Credential, type CredentialRequest, credentialCollection, lookupFor, lookupOf, pskField } from "./credential.ts";
import { type EntryNews, EntryStore, type EntryStoreDeps, type Own, type PageQuery } from "./entry-store.ts";
import { KnownHolders } from "./known-holders.ts";

export interface CredentialServiceDeps extends EntryStoreDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly secrets: SecretBox;
  /** Durable: connections that match are to be dropped. */
  readonly onRemoved: (realm: Realm, matches: IdentityMatch) => void;
}

export type ChangeOutcome =
  | { readonly ok: true; readonly credential: Credential }
  /** `owner`: the endpoint name that has the identity already. */
  | { readonly ok: false; readonly reason: "taken"; readonly owner: string | undefined }
  | { readonly ok: false; readonly reason: "unknown" | "key-missing" | "other-realm" | "other-kind" };

export interface ListQuery extends PageQuery {
  readonly endpoint?: string;
  readonly realm?: Realm;
}

/** Endpoint names of which it is known whether they have a credential, some 100 bytes each. */
const knownHolders = 30_000;

export class CredentialService {
  readonly #deps: CredentialServiceDeps;
  readonly #entries: EntryStore<Credential>;
  /** Opened for identities nobody knows, so that they take as long as those somebody knows. */
  readonly #decoy: Credential;
  readonly #holders: KnownHolders;

  constructor(deps: CredentialServiceDeps) {
    this.#deps = deps;
    this.#entries = new EntryStore<Credential>(deps, credentialCollection);
    // Another process may give a device a credential, and tells nobody.
    this.#holders = new KnownHolders(deps.store.isShared === true ? 0 : knownHolders);
    this.#decoy = { _id: "decoy", ...this.#seal("decoy", deps.random.bytes(16)) } as Credential; // Only its secret is looked at.
  }

  sweep(): Promise<void> {
    return this.#entries.sweep();
  }

  find(id: string): Promise<Credential | undefined> {
    return this.#entries.find(id);
  }

  list({ endpoint, realm, ...page }: ListQuery): Promise<readonly Credential[]> {
    return this.#entries.list({ ...(endpoint === undefined ? {} : { endpoint }), ...(realm === undefined ? {} : { realm }) }, page);
  }

  async create(request: CredentialRequest): Promise<ChangeOutcome> {
    if (request.kind === "psk" && request.key === undefined) return { ok: false, reason: "key-missing" };
    const id = ulid(this.#deps.clock.now(), this.#deps.random);
    const own = this.#own(id, request, request.key);
    const credential = await this.#holders.during(() => this.#entries.insert(id, own, newsOf("created", id, request, {})));
    return credential === undefined ? this.#taken(request) : { ok: true, credential };
  }

  /** What is as it was stays untouched. `drop`: whether connections that came by the former identity or key are to go. */
  async replace(id: string, request: CredentialRequest, drop: boolean): Promise<ChangeOutcome> {
    for (;;) {
      const before = await this.#entries.find(id);
      if (before === undefined) return { ok: false, reason: "unknown" };
      if (before.realm !== request.realm) return { ok: false, reason: "other-realm" };
      if (before.kind !== request.kind) return { ok: false, reason: "other-kind" };
      const formerKey = before.kind === "psk" ? this.#keyOf(before) : undefined;
      const key = request.key ?? formerKey;
      if (isSame(before, formerKey, request, key)) return { ok: true, credential: before };
      const news = newsOf("replaced", id, request, { connectionsDropped: drop });
      const after = await this.#holders.during(() => this.#entries.replace(before, this.#own(id, request, key), news));
      if (after === "changed") continue;
      if (after === "duplicate") return this.#taken(request);
      if (drop) this.#drop(before);
      return { ok: true, credential: after };
    }
  }

  /** False when there was none. */
  async remove(id: string, drop: boolean): Promise<boolean> {
    for (;;) {
      const before = await this.#entries.find(id);
      if (before === undefined) return false;
      const news = newsOf("removed", id, before, { connectionsDropped: drop });
      if (!(await this.#holders.during(() => this.#entries.remove(before, news)))) continue;
      if (drop) this.#drop(before);
      return true;
    }
  }

  /** All of one endpoint name, in one realm or both; how many there were. */
  async removeAll(endpoint: string, realm: Realm | undefined, drop: boolean): Promise<number> {
    let removed = 0;
    for (;;) {
      const page = await this.list({ endpoint, ...(realm === undefined ? {} : { realm }), after: "", limit: 100 });
      if (page.length === 0) return removed;
      for (const { _id } of page) if (await this.remove(_id, drop)) removed += 1;
    }
  }

  /** Asked for with every Register and Update that comes without a credential. */
  async hasAny(realm: Realm, endpoint: string): Promise<boolean> {
    return this.#holders.ask(`${realm}/${endpoint}`, async () => (await this.#entries.count({ endpoint, realm }, 1)) > 0);
  }

  /** The endpoint name an identity stands for by its own credential. */
  async ownerOf(realm: Realm, identity: SecureIdentity): Promise<string | undefined> {
    const lookup = lookupFor(identity);
    return lookup === undefined ? undefined : (await this.#entries.findByLookup(realm, lookup))?.endpoint;
  }

  async isKnown(realm: Realm, lookup: string): Promise<boolean> {
    return (await this.#entries.findByLookup(realm, lookup)) !== undefined;
  }

  async findPsk(realm: Realm, identity: Uint8Array): Promise<Uint8Array | undefined> {
    const found = await this.#entries.findByLookup(realm, lookupOf("psk", identity));
    const key = this.#keyOf(found ?? this.#decoy);
    return found === undefined ? undefined : key;
  }

  async #taken(request: CredentialRequest): Promise<ChangeOutcome> {
    const owner = await this.#entries.findByLookup(request.realm, lookupOf(request.kind, request.shown));
    return { ok: false, reason: "taken", owner: owner?.endpoint };
  }

  #own(id: string, { realm, endpoint, kind, shown }: CredentialRequest, key: Uint8Array | undefined): Own<Credential> {
    return { realm, endpoint, kind, lookup: lookupOf(kind, shown), shown: Buffer.from(shown).toString("base64"), ...this.#seal(id, key) };
  }

  #seal(id: string, key: Uint8Array | undefined) {
    return sealFields(this.#deps.secrets, credentialCollection, id, key === undefined ? {} : { [pskField]: key });
  }

  #keyOf(credential: Credential): Uint8Array | undefined {
    return openFields(this.#deps.secrets, credentialCollection, credential)[pskField];
  }

  #drop({ realm, lookup }: Credential): void {
    this.#deps.onRemoved(realm, (identity) => lookupFor(identity) === lookup);
  }
}

function isSame(before: Credential, formerKey: Uint8Array | undefined, request: CredentialRequest, key: Uint8Array | undefined): boolean {
  const { endpoint, kind, shown } = request;
  if (before.endpoint !== endpoint || before.lookup !== lookupOf(kind, shown)) return false;
  return key === formerKey || (key !== undefined && formerKey !== undefined && Buffer.from(key).equals(formerKey));
}

function newsOf(
  change: "created" | "replaced" | "removed",
  id: string,
  { endpoint, realm, kind }: Pick<Credential, "endpoint" | "realm" | "kind">,
  more: EntryNews["data"],
): EntryNews {
  return { type: `credential.${change}`, subject: endpoint, data: { id, of: "device", realm, kind, ...more } };
}
