/** Sessions that may be resumed by their id (RFC 5246 §F.1.4), in memory: bounded in number and age, gone with the process. */
import { hash as digest } from "node:crypto";
import type { Clock } from "../../ports/clock.ts";
import type { SecureIdentity } from "../../ports/datagram-socket.ts";
import type { ResumableSession, SessionCache } from "../credentials-contract.ts";

export interface SessionMemorySettings {
  readonly most: number;
  /** RFC 5246 §F.1.4 suggests a day at most. */
  readonly lifetimeMs: number;
}

export class SessionMemory implements SessionCache {
  readonly #settings: SessionMemorySettings;
  readonly #clock: Clock;
  /** By session id, oldest first. */
  readonly #sessions = new Map<string, ResumableSession>();
  /** Session ids by identity. */
  readonly #ofIdentity = new Map<string, Set<string>>();

  constructor(settings: SessionMemorySettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  get size(): number {
    return this.#sessions.size;
  }

  find(sessionId: Uint8Array): ResumableSession | undefined {
    const name = nameOf(sessionId);
    const session = this.#sessions.get(name);
    if (session === undefined) return undefined;
    // A copy: what is dropped is zeroed, and a handshake under way must never go on with zeros.
    if (this.#clock.now() - session.madeAt < this.#settings.lifetimeMs) return copyOf(session);
    this.#drop(name, session);
    return undefined;
  }

  keep(session: ResumableSession): void {
    const name = nameOf(session.sessionId);
    if (session.sessionId.length === 0) return;
    const before = this.#sessions.get(name);
    if (before !== undefined) this.#drop(name, before);
    this.#sessions.set(name, copyOf(session));
    if (session.identity !== undefined) {
      const who = textOf(session.identity);
      const names = this.#ofIdentity.get(who);
      if (names === undefined) this.#ofIdentity.set(who, new Set([name]));
      else names.add(name);
    }
    for (const [oldest, old] of this.#sessions) {
      const isOld = this.#clock.now() - old.madeAt >= this.#settings.lifetimeMs;
      if (this.#sessions.size <= this.#settings.most && !isOld) break;
      this.#drop(oldest, old);
    }
  }

  forget(matches: (session: ResumableSession) => boolean): void {
    for (const [name, session] of this.#sessions) if (matches(session)) this.#drop(name, session);
  }

  forgetOf(identity: SecureIdentity): void {
    for (const name of this.#ofIdentity.get(textOf(identity)) ?? []) {
      const session = this.#sessions.get(name);
      if (session !== undefined) this.#drop(name, session);
    }
  }

  #drop(name: string, session: ResumableSession): void {
    this.#sessions.delete(name);
    session.masterSecret.fill(0);
    if (session.identity === undefined) return;
    const who = textOf(session.identity);
    const names = this.#ofIdentity.get(who);
    names?.delete(name);
    if (names?.size === 0) this.#ofIdentity.delete(who);
  }
}

/** What the peer proved, as a name: its bytes may be public, so a digest of the long ones will do. */
function textOf(identity: SecureIdentity): string {
  switch (identity.kind) {
    case "psk":
      return `psk ${nameOf(identity.identity)}`;
    case "rpk":
      return `rpk ${digest("sha256", identity.publicKey, "base64")}`;
    case "x509":
      return `x509 ${digest("sha256", identity.certificate, "base64")}`;
  }
}

function copyOf(session: ResumableSession): ResumableSession {
  return { ...session, masterSecret: Uint8Array.from(session.masterSecret) };
}

function nameOf(sessionId: Uint8Array): string {
  return Buffer.from(sessionId).toString("base64");
}
