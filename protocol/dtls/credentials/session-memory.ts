/** Sessions that may be resumed by their id (RFC 5246 §F.1.4), in memory: bounded in number and age, gone with the process. */
import type { Clock } from "../../ports/clock.ts";
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
    this.#sessions.delete(name);
    this.#sessions.set(name, copyOf(session));
    for (const [oldest, old] of this.#sessions) {
      const isOld = this.#clock.now() - old.madeAt >= this.#settings.lifetimeMs;
      if (this.#sessions.size <= this.#settings.most && !isOld) break;
      this.#drop(oldest, old);
    }
  }

  forget(matches: (session: ResumableSession) => boolean): void {
    for (const [name, session] of this.#sessions) if (matches(session)) this.#drop(name, session);
  }

  #drop(name: string, session: ResumableSession): void {
    this.#sessions.delete(name);
    session.masterSecret.fill(0);
  }
}

function copyOf(session: ResumableSession): ResumableSession {
  return { ...session, masterSecret: Uint8Array.from(session.masterSecret) };
}

function nameOf(sessionId: Uint8Array): string {
  return Buffer.from(sessionId).toString("base64");
}
