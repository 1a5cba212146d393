/** A program of the crash run: orders writes through the REST API, repeats what it got no answer to, and looks at what became of them. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { SeededRandom } from "@lwm2m/protocol/testing/seeded-random";
import type { CrashDevice } from "./crash-device.ts";
import { observedPath } from "./crash-device.ts";
import { packageOf } from "./crash-firmware.ts";
import type { Ledger } from "./ledger.ts";

/** Between two tries while the server is away. */
const pauseMs = 20;
/** After it has said that it is busy: asking on and on would keep it so. */
const busyPauseMs = 250;
/** Between two looks while the run waits for firmware updates to end. */
const calmPauseMs = 500;
/** 429 and 503 (RFC 6585 §4, RFC 9110 §15.6.4). */
const busy: ReadonlySet<number> = new Set([429, 503]);

export interface CrashProgramDeps {
  readonly name: string;
  readonly origin: string;
  readonly key: string;
  readonly devices: readonly CrashDevice[];
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: SeededRandom;
  /** Whether anything may be begun; otherwise it only looks at what became of what was. */
  readonly mayBegin: () => boolean;
}

interface Reply {
  readonly status: number;
  readonly body: {
    readonly id?: string;
    readonly status?: string;
    readonly value?: unknown;
    readonly finishedAt?: string | null;
    readonly state?: string;
  };
}

export class CrashProgram {
  readonly #deps: CrashProgramDeps;
  #orders = 0;
  #packages = 0;
  #packageId: string | undefined;
  #updating: { readonly id: string; readonly endpoint: string } | undefined;
  /** Of those it made, not known to be final. */
  readonly #open = new Map<string, { readonly endpoint: string; readonly value: string }>();

  constructor(deps: CrashProgramDeps) {
    this.#deps = deps;
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const device = this.#deps.random.pick(this.#deps.devices);
      if (!this.#deps.mayBegin()) {
        await this.#look();
        await this.#update(device.endpoint);
        await this.#pause(calmPauseMs);
        continue;
      }
      if (!device.isObserved) await this.#call("PUT", `/devices/${device.endpoint}/resources${observedPath}/observation`);
      await this.#order(device.endpoint, isOver);
      await this.#look();
      if (this.#deps.random.integer(4) === 0) await this.#update(device.endpoint);
    }
  }

  /** Each program has a package of its own, so that devices go from one to the other; one update at a time is looked after. */
  async #update(endpoint: string): Promise<void> {
    const { name, ledger } = this.#deps;
    if (this.#updating !== undefined) {
      const { id, endpoint: updated } = this.#updating;
      const reply = await this.#call("GET", `/updates/${id}`);
      if (reply?.status === 404) ledger.violations.push(`firmware update ${id} is not known any more`);
      if (reply?.status !== 200 || reply.body.state === undefined) return;
      const isFinal = typeof reply.body.finishedAt === "string";
      ledger.seeFirmware(id, updated, reply.body.state, isFinal);
      if (isFinal) this.#updating = undefined;
      return;
    }
    if (!this.#deps.mayBegin()) return;
    if (this.#packageId === undefined) {
      // Under another name after an upload nobody answered: that one may be there.
      const version = `${name}-${++this.#packages}`;
      const reply = await this.#call("POST", `/packages?name=${name}&version=${version}`, packageOf(version));
      if (reply?.status === 201) this.#packageId = reply.body.id;
      return;
    }
    const reply = await this.#call("POST", `/devices/${endpoint}/updates`, { packageId: this.#packageId });
    if (reply?.status !== 201 || reply.body.id === undefined) return;
    this.#updating = { id: reply.body.id, endpoint };
    ledger.seeFirmware(reply.body.id, endpoint, reply.body.state ?? "", typeof reply.body.finishedAt === "string");
  }

  /** Repeated under one key until it is answered: however often that is, it is one operation. */
  async #order(endpoint: string, isOver: () => boolean): Promise<void> {
    const value = `${this.#deps.name}-${++this.#orders}`;
    const body = { kind: "write", path: "/3/0/14", value };
    while (!isOver()) {
      const reply = await this.#call("POST", `/devices/${endpoint}/operations`, body, value);
      if (reply === undefined) {
        await this.#pause();
        continue;
      }
      const { id, status, finishedAt } = reply.body;
      if (reply.status > 299 || id === undefined || status === undefined) return;
      this.#open.set(id, { endpoint, value });
      this.#see(id, status, finishedAt);
      return;
    }
  }

  async #look(): Promise<void> {
    const [id] = this.#open.keys();
    if (id === undefined) return;
    const reply = await this.#call("GET", `/operations/${id}`);
    if (reply === undefined) return this.#pause();
    const { status, finishedAt } = reply.body;
    if (reply.status === 200 && status !== undefined) this.#see(id, status, finishedAt);
    else if (reply.status === 404) this.#deps.ledger.violations.push(`operation ${id} is not known any more`);
  }

  #see(id: string, status: string, finishedAt: string | null | undefined): void {
    const order = this.#open.get(id);
    if (order === undefined) return;
    const isFinal = typeof finishedAt === "string";
    this.#deps.ledger.see(id, order, status, isFinal);
    this.#open.delete(id);
    // Others have their turn before it is looked at again.
    if (!isFinal) this.#open.set(id, order);
  }

  async #call(method: string, path: string, body?: unknown, idempotencyKey?: string): Promise<Reply | undefined> {
    const headers = {
      authorization: `Bearer ${this.#deps.key}`,
      prefer: "respond-async",
      ...(body === undefined ? {} : { "content-type": typeof body === "string" ? "application/octet-stream" : "application/json" }),
      ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
    };
    try {
      const reply = await fetch(`${this.#deps.origin}/api/v1${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const answer = { status: reply.status, body: (await reply.json()) as Reply["body"] };
      if (busy.has(answer.status)) await this.#pause(busyPauseMs);
      return answer;
    } catch {
      // The server is dead: nothing was acknowledged.
      return undefined;
    }
  }

  #pause(delayMs = pauseMs): Promise<void> {
    return new Promise((resolve) => void this.#deps.clock.after(delayMs, resolve));
  }
}
