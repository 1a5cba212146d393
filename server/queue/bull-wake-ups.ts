/**
 * Wake-ups by Bull on Redis, for several processes that share one store: each job goes to one of them. Whatever becomes of Redis,
 * the store knows what is due: a sweep finds what Redis did not ring for, and while Redis is away the store's own timers go on.
 */

import type { Timer } from "@lwm2m/protocol/ports/clock";
import Bull, { type Queue } from "bull";
import { type DueLoop, openDueLoop } from "../due-loop.ts";
import type { Log } from "../log.ts";
import { ownSubscriptions } from "./owned-subscriptions.ts";
import type { RedisAddress } from "./redis-address.ts";
import { RedisWatch } from "./redis-watch.ts";
import { look, sweep, type WakeUpSettings } from "./store-wake-ups.ts";
import { type WakeUpQueue, type WakeUps, type WakeUpTopic, wakeUpLimits } from "./wake-up-queue.ts";

export interface BullWakeUpSettings extends WakeUpSettings {
  readonly address: RedisAddress;
  readonly log: Pick<Log, "info" | "warn">;
}

interface WakeUpJob {
  readonly topic: string;
  readonly key: string;
  readonly atMs: number;
}

const bullLimits = {
  /** A worker that was killed is given up after this, and its jobs go to another 5 s later at most. */
  lockDuration: 10_000,
  stalledInterval: 5_000,
  /** Jobs do nothing that a repetition could harm. */
  maxStalledCount: 10,
  /** Before a worker that met an error asks Redis again. */
  retryProcessDelay: 1_000,
} as const;

/** Attempts to connect: 0.2 s after a loss, then slower, to this. */
const slowestReconnectMs = 2_000;
/** Commands that Redis has not answered; a Redis that hangs gets no more. */
const unansweredAtMost = 10_000;
/** A job that rings too early by no more than this (two machines, two clocks) is waited for. */
const clockDifferenceMs = 5_000;
/** Bull's own closing waits for answers. */
const closeLimitMs = 2_000;

/** Redis need not be there. */
export function openBullWakeUps(settings: BullWakeUpSettings): WakeUpQueue {
  return new BullWakeUps(settings);
}

class BullWakeUps implements WakeUpQueue {
  readonly #settings: BullWakeUpSettings;
  readonly #queue: Queue<WakeUpJob>;
  readonly #watch: RedisWatch;
  readonly #topics = new Map<string, BullTopic>();
  #unanswered = 0;
  #isClosed = false;

  constructor(settings: BullWakeUpSettings) {
    this.#settings = settings;
    const { address, log, clock } = settings;
    const queue = openQueue(address);
    this.#queue = queue;
    this.#watch = new RedisWatch({
      connection: queue.client,
      name: `${address.host}:${address.port}`,
      ...{ log, clock },
      onChange: () => {
        for (const topic of this.#topics.values()) topic.noteRedis();
      },
    });
    queue.on("error", (error) => this.#watch.note(error));
    // Resolves at the end; before that it fails only when it is closed unconnected.
    queue.process(wakeUpLimits.looksAtOnce, ({ data }) => this.#ring(data)).catch((error: unknown) => this.#watch.note(error));
  }

  get isThere(): boolean {
    return this.#watch.isThere;
  }

  open(definition: WakeUpTopic): WakeUps {
    if (this.#topics.has(definition.name)) throw new Error(`the topic ${definition.name} is open already`);
    const topic = new BullTopic(definition, this, this.#settings);
    this.#topics.set(definition.name, topic);
    return topic;
  }

  add(job: WakeUpJob): void {
    const delay = Math.max(0, job.atMs - this.#settings.clock.now());
    this.#command(() => this.#queue.add(job, { jobId: idOf(job), delay }));
  }

  remove(job: WakeUpJob): void {
    this.#command(async () => {
      const found = await this.#queue.getJob(idOf(job));
      // One that rings just now cannot be removed and need not be.
      await found?.remove().catch(() => {});
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch.close();
    // Bull stops listening before its connections have ended, and ioredis writes to stderr what nobody hears.
    for (const connection of connectionsOf(this.#queue)) connection.on("error", () => {});
    await Promise.all([...this.#topics.values()].map((topic) => topic.close()));
    const { clock } = this.#settings;
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = clock.after(closeLimitMs, resolve);
    });
    await Promise.race([this.#queue.close(true).catch(() => {}), late]);
    timer?.cancel();
    for (const connection of connectionsOf(this.#queue)) connection.disconnect();
  }

  async #ring({ topic, key, atMs }: WakeUpJob): Promise<void> {
    // A topic of another version of this program: its sweep finds what is due.
    await this.#topics.get(topic)?.ring(key, atMs);
  }

  /** Best effort: what fails here, a sweep finds. */
  #command(send: () => Promise<unknown>): void {
    if (this.#isClosed || !this.#watch.isThere || this.#unanswered >= unansweredAtMost) return;
    this.#unanswered += 1;
    send()
      .catch((error: unknown) => this.#watch.note(error))
      .finally(() => {
        this.#unanswered -= 1;
      });
  }
}

class BullTopic implements WakeUps {
  readonly #topic: WakeUpTopic;
  readonly #queue: BullWakeUps;
  readonly #settings: BullWakeUpSettings;
  readonly #loop: DueLoop;
  /** The jobs this process has put into Redis and not heard of: one per document. */
  readonly #jobs = new Map<string, number>();
  readonly #early = new Set<Timer>();
  readonly #looks = new Set<Promise<void>>();
  #isClosed = false;

  constructor(topic: WakeUpTopic, queue: BullWakeUps, settings: BullWakeUpSettings) {
    this.#topic = topic;
    this.#queue = queue;
    this.#settings = settings;
    this.#loop = openDueLoop({
      clock: settings.clock,
      step: (nowMs) => this.#sweep(nowMs),
      onError: (error) => settings.onError(error, `wake up ${topic.name}`),
    });
  }

  schedule(key: string, atMs: number): void {
    if (this.#isClosed) return;
    this.#loop.hasten(atMs + this.#graceMs());
    const former = this.#jobs.get(key);
    if (former === atMs || !this.#queue.isThere) return;
    this.#jobs.set(key, atMs);
    this.#queue.add({ topic: this.#topic.name, key, atMs });
    if (former !== undefined) this.#queue.remove({ topic: this.#topic.name, key, atMs: former });
  }

  cancel(key: string): void {
    const atMs = this.#jobs.get(key);
    if (atMs === undefined || !this.#jobs.delete(key)) return;
    this.#queue.remove({ topic: this.#topic.name, key, atMs });
  }

  /** A job of this topic is due, by the clock of the process that said so. */
  ring(key: string, atMs: number): Promise<void> {
    if (this.#jobs.get(key) === atMs) this.#jobs.delete(key);
    const earlyMs = atMs - this.#settings.clock.now();
    if (earlyMs <= 0) return this.#look(key);
    if (earlyMs <= clockDifferenceMs && !this.#isClosed) {
      const timer = this.#settings.clock.after(earlyMs, () => {
        this.#early.delete(timer);
        this.#look(key).catch(() => {});
      });
      this.#early.add(timer);
    }
    return Promise.resolve();
  }

  /** Redis came or went. */
  noteRedis(): void {
    this.#jobs.clear();
    this.#loop.hasten(this.#settings.clock.now());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#early) timer.cancel();
    await this.#loop.close();
    await Promise.all(this.#looks);
  }

  /** Never rejects. */
  #look(key: string): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const running: Promise<void> = look(this.#topic, key, this.#settings.onError).then(() => void this.#looks.delete(running));
    this.#looks.add(running);
    return running;
  }

  #graceMs(): number {
    return this.#queue.isThere ? wakeUpLimits.sweepGraceMs : 0;
  }

  #sweep(nowMs: number): Promise<number | undefined> {
    const graceMs = this.#graceMs();
    // Rung for in another process, or lost.
    for (const [key, atMs] of this.#jobs) if (atMs < nowMs - graceMs) this.#jobs.delete(key);
    return sweep({ topic: this.#topic, graceMs: () => graceMs, isClosed: () => this.#isClosed, onError: this.#settings.onError }, nowMs);
  }
}

/** Bull forgets to end those that are not connected when it closes, and they would try for ever. */
function connectionsOf(queue: Queue<WakeUpJob>): readonly Queue["client"][] {
  return [queue.client, ...("clients" in queue && Array.isArray(queue.clients) ? (queue.clients as Queue["client"][]) : [])];
}

function idOf({ topic, key, atMs }: WakeUpJob): string {
  return `${topic}.${key}.${atMs}`;
}

function openQueue({ tls, ...address }: RedisAddress): Queue<WakeUpJob> {
  const queue = new Bull<WakeUpJob>("wake-ups", {
    prefix: "lwm2m",
    redis: {
      ...address,
      ...(tls === undefined ? {} : { tls: { ...tls } }),
      // A command fails with the first attempt to connect that does: the store knows what is due.
      maxRetriesPerRequest: 1,
      retryStrategy: (attempt) => Math.min(attempt * 200, slowestReconnectMs),
    },
    settings: { ...bullLimits },
    // Kept, a job would hinder the next one of its id.
    defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
  });
  // Made by this look where it was not there yet.
  const subscriber: unknown = Reflect.get(queue, "eclient");
  if (typeof subscriber === "object" && subscriber !== null) ownSubscriptions(subscriber);
  // Bull names its connection with a promise that nobody owns: closed before Redis was there, it would end the process.
  return Object.assign(queue, { setWorkerName: () => Promise.resolve() });
}
