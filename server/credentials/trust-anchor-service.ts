/** The trust anchors of both realms: in the store, and in memory for the handshakes. */

import { type TrustAnchor, trustAnchorOf } from "@lwm2m/protocol/dtls/x509/verify-chain";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { IdentityMatch, Realm } from "../security/device-credentials.ts";
import { sealFields } from "../security/sealed-documents.ts";
import type { SecretBox } from "../security/secret-box.ts";
import { ulid } from "../ulid.ts";
import { type EntryNews, EntryStore, type EntryStoreDeps, type Own, type PageQuery } from "./entry-store.ts";
import { anchorLookup, endpointBy, type TrustAnchorEntry, type TrustAnchorRequest, trustAnchorCollection } from "./trust-anchor.ts";

export interface TrustAnchorServiceDeps extends EntryStoreDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly secrets: SecretBox;
  readonly onRemoved: (realm: Realm, matches: IdentityMatch) => void;
}

export type AnchorOutcome =
  | { readonly ok: true; readonly anchor: TrustAnchorEntry }
  | { readonly ok: false; readonly reason: "taken" | "unknown" | "other-realm" };

const pageSize = 500;

export async function openTrustAnchorService(deps: TrustAnchorServiceDeps): Promise<TrustAnchorService> {
  const entries = new EntryStore<TrustAnchorEntry>(deps, trustAnchorCollection);
  await entries.sweep();
  const anchors = new Map<string, HeldAnchor>();
  for (let after: string | undefined = ""; after !== undefined; ) {
    const page: readonly TrustAnchorEntry[] = await entries.list({}, { after, limit: pageSize });
    for (const entry of page) anchors.set(entry._id, heldOf(entry));
    after = page.length < pageSize ? undefined : page.at(-1)?._id;
  }
  return new TrustAnchorService(deps, entries, anchors);
}

interface HeldAnchor {
  readonly entry: TrustAnchorEntry;
  readonly trust: TrustAnchor;
}

export class TrustAnchorService {
  readonly #deps: TrustAnchorServiceDeps;
  readonly #entries: EntryStore<TrustAnchorEntry>;
  readonly #anchors: Map<string, HeldAnchor>;

  constructor(deps: TrustAnchorServiceDeps, entries: EntryStore<TrustAnchorEntry>, anchors: Map<string, HeldAnchor>) {
    this.#deps = deps;
    this.#entries = entries;
    this.#anchors = anchors;
  }

  find(id: string): Promise<TrustAnchorEntry | undefined> {
    return this.#entries.find(id);
  }

  list(page: PageQuery): Promise<readonly TrustAnchorEntry[]> {
    return this.#entries.list({}, page);
  }

  trusted(realm: Realm): readonly TrustAnchor[] {
    return this.#of(realm).map(({ trust }) => trust);
  }

  /** Of a certificate whose chain ended at an anchor; undefined when that is gone, or its rule finds no name. */
  endpointFor(realm: Realm, identity: SecureIdentity): string | undefined {
    const held = this.#of(realm).find(({ entry }) => comesUnder(entry, identity));
    return held === undefined || identity.kind !== "x509" ? undefined : endpointBy(held.entry, identity);
  }

  /** Whether the name is one that an anchor has for itself. */
  claims(realm: Realm, endpoint: string): boolean {
    return this.#of(realm).some(({ entry }) => entry.prefix !== "" && endpoint.startsWith(entry.prefix));
  }

  async create(request: TrustAnchorRequest): Promise<AnchorOutcome> {
    const id = ulid(this.#deps.clock.now(), this.#deps.random);
    const anchor = await this.#entries.insert(id, this.#own(id, request), newsOf("created", id, request, {}));
    if (anchor === undefined) return { ok: false, reason: "taken" };
    this.#anchors.set(id, heldOf(anchor));
    return { ok: true, anchor };
  }

  async replace(id: string, request: TrustAnchorRequest, drop: boolean): Promise<AnchorOutcome> {
    for (;;) {
      const before = await this.#entries.find(id);
      if (before === undefined) return { ok: false, reason: "unknown" };
      if (before.realm !== request.realm) return { ok: false, reason: "other-realm" };
      const own = this.#own(id, request);
      const { certificate, source, prefix } = before;
      if (own.certificate === certificate && own.source === source && own.prefix === prefix) return { ok: true, anchor: before };
      const after = await this.#entries.replace(before, own, newsOf("replaced", id, request, { connectionsDropped: drop }));
      if (after === "changed") continue;
      if (after === "duplicate") return { ok: false, reason: "taken" };
      if ((this.#anchors.get(id)?.entry.rev ?? after.rev) <= after.rev) this.#anchors.set(id, heldOf(after));
      if (drop) this.#drop(before);
      return { ok: true, anchor: after };
    }
  }

  /** False when there was none. */
  async remove(id: string, drop: boolean): Promise<boolean> {
    for (;;) {
      const before = await this.#entries.find(id);
      if (before === undefined) return false;
      if (!(await this.#entries.remove(before, newsOf("removed", id, before, { connectionsDropped: drop })))) continue;
      this.#anchors.delete(id);
      if (drop) this.#drop(before);
      return true;
    }
  }

  #of(realm: Realm): readonly HeldAnchor[] {
    return [...this.#anchors.values()].filter(({ entry }) => entry.realm === realm);
  }

  #own(id: string, { realm, certificate, source, prefix }: TrustAnchorRequest): Own<TrustAnchorEntry> {
    const sealed = sealFields(this.#deps.secrets, trustAnchorCollection, id, {});
    return {
      realm,
      source,
      prefix,
      lookup: anchorLookup(certificate),
      certificate: Buffer.from(certificate).toString("base64"),
      ...sealed,
    };
  }

  #drop(before: TrustAnchorEntry): void {
    this.#deps.onRemoved(before.realm, (identity) => comesUnder(before, identity));
  }
}

function comesUnder({ lookup }: TrustAnchorEntry, identity: SecureIdentity): boolean {
  if (identity.kind !== "x509" || identity.anchorSha256 === undefined) return false;
  return Buffer.from(identity.anchorSha256).toString("hex") === lookup;
}

function heldOf(entry: TrustAnchorEntry): HeldAnchor {
  return { entry, trust: trustAnchorOf(new Uint8Array(Buffer.from(entry.certificate, "base64"))) };
}

function newsOf(
  change: "created" | "replaced" | "removed",
  id: string,
  { realm }: Pick<TrustAnchorEntry, "realm">,
  more: EntryNews["data"],
): EntryNews {
  return { type: `credential.${change}`, subject: id, data: { id, of: "trust-anchor", realm, kind: "x509", ...more } };
}
