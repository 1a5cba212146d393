/**
 * What is known of one Redis, and told: whether it is there, whether its settings can lose jobs, and what it refuses. Whatever happens
 * to Redis, the log has a few lines a minute.
 *
 *   away --ready, settings asked--> there --connection lost--> away
 */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { Log } from "../log.ts";
import { durabilitySettings, findRisks } from "./redis-durability.ts";

/** What is used of a connection that connects again by itself. */
export interface RedisConnection {
  readonly status: string;
  on(event: "ready" | "close", listener: () => void): unknown;
  config(get: "GET", name: string): Promise<unknown>;
}

export interface RedisWatchSettings {
  readonly connection: RedisConnection;
  /** HOST:PORT, for the log. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Pick<Log, "info" | "warn">;
  /** After each change of `isThere`. */
  readonly onChange: () => void;
}

/** Milliseconds between two lines about commands that fail. */
const quietMs = 60_000;
/** Milliseconds between two lines about being there or not. */
const flutterMs = 5_000;
/** While Redis reads its files it answers nothing but LOADING. */
const askAgainMs = 1_000;

const replacement = "the server wakes up by itself what is due";

export class RedisWatch {
  readonly #settings: RedisWatchSettings;
  #isThere = false;
  #isClosed = false;
  #askAgain: Timer | undefined;
  /** What the log said last of `isThere`. */
  #told: { readonly isThere: boolean; readonly at: number } | undefined;
  #tellLater: Timer | undefined;
  #toldSettings: string | undefined;
  #errors = { toldAt: Number.NEGATIVE_INFINITY, untold: 0 };

  constructor(settings: RedisWatchSettings) {
    this.#settings = settings;
    settings.connection.on("ready", () => this.#ask());
    settings.connection.on("close", () => this.#change(false, "the connection was closed"));
    if (settings.connection.status === "ready") this.#ask();
  }

  get isThere(): boolean {
    return this.#isThere;
  }

  /** A command or an attempt to connect failed. */
  note(error: unknown): void {
    if (this.#isClosed) return;
    const detail = describe(error);
    if (!this.#isThere) {
      this.#tell(detail);
      return;
    }
    const nowMs = this.#settings.clock.now();
    if (nowMs - this.#errors.toldAt < quietMs) {
      this.#errors.untold += 1;
      return;
    }
    const { untold } = this.#errors;
    this.#errors = { toldAt: nowMs, untold: 0 };
    const more = untold === 0 ? {} : { since: `${untold} more like it in between` };
    this.#settings.log.warn(`Redis refuses a command; ${replacement}`, { redis: this.#settings.name, detail, ...more });
  }

  close(): void {
    this.#isClosed = true;
    this.#isThere = false;
    this.#askAgain?.cancel();
    this.#tellLater?.cancel();
  }

  /** Its settings are the first command: only one that answers is there. Never rejects. */
  #ask(): void {
    this.#askAgain?.cancel();
    this.#askSettings().then(
      () => this.#change(true),
      (error: unknown) => {
        if (this.#isClosed) return;
        this.#tell(describe(error));
        this.#askAgain = this.#settings.clock.after(askAgainMs, () => this.#ask());
      },
    );
  }

  async #askSettings(): Promise<void> {
    const { connection, log, name } = this.#settings;
    const config: { [name: string]: string } = {};
    try {
      for (const setting of durabilitySettings) {
        const value = settingIn(await connection.config("GET", setting));
        if (value !== undefined) config[setting] = value;
      }
    } catch (error) {
      // A hosted Redis keeps the command to itself.
      if (!/NOPERM|unknown (sub)?command|ERR .*(disabled|not allowed|not permitted)/i.test(describe(error))) throw error;
      return this.#tellSettings("untold", () =>
        log.info("Redis does not tell its settings: it should have appendonly yes and maxmemory-policy noeviction", { redis: name }),
      );
    }
    const risks = findRisks(config);
    this.#tellSettings(risks.join("; "), () => {
      if (risks.length > 0) log.warn(`Redis can lose jobs, which come up to a minute late then: ${risks.join("; ")}`, { redis: name });
    });
  }

  /** Again only when they have changed since. */
  #tellSettings(found: string, tell: () => void): void {
    if (this.#isClosed || this.#toldSettings === found) return;
    this.#toldSettings = found;
    tell();
  }

  #change(isThere: boolean, detail?: string): void {
    if (this.#isClosed || this.#isThere === isThere) return;
    this.#isThere = isThere;
    if (!isThere) this.#askAgain?.cancel();
    this.#tell(detail);
    this.#settings.onChange();
  }

  /** One that comes and goes all the time is told of once in `flutterMs`. */
  #tell(detail?: string): void {
    const { clock, log, name } = this.#settings;
    if (this.#told?.isThere === this.#isThere || this.#tellLater !== undefined) return;
    const nowMs = clock.now();
    const waitMs = this.#told === undefined ? 0 : this.#told.at + flutterMs - nowMs;
    if (waitMs > 0) {
      this.#tellLater = clock.after(waitMs, () => {
        this.#tellLater = undefined;
        this.#tell(detail);
      });
      return;
    }
    this.#told = { isThere: this.#isThere, at: nowMs };
    if (this.#isThere) log.info("Redis is there and wakes up what is due", { redis: name });
    else log.warn(`Redis is away; ${replacement} until it is back`, { redis: name, ...(detail === undefined ? {} : { detail }) });
  }
}

/** `CONFIG GET` answers the name and the value. */
function settingIn(answer: unknown): string | undefined {
  const value: unknown = Array.isArray(answer) ? answer[1] : undefined;
  return typeof value === "string" ? value : undefined;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== "") return error.message;
  // Of a name with several addresses Node says nothing but the code.
  return "code" in error ? String(error.code) : error.name;
}
