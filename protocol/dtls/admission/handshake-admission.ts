/** Who may begin a handshake now, and whom a cookie is sent to: bounds in fixed memory, before anything is paid for. */
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import type { Random } from "../../ports/random.ts";
import { addressWords, readAddress } from "../connections/address-words.ts";
import { mix } from "../connections/row-index.ts";
import type { DtlsLimits } from "../endpoint/limits.ts";

export type AdmissionVerdict = "ok" | "rate" | "busy";

const second = 1_000;
/** Prefixes share buckets by a seeded hash: a flood of invented addresses fills all of them and no memory. */
const cookieBuckets = 4_096;
const wordRange = 2 ** 32;

export class HandshakeAdmission {
  readonly #limits: DtlsLimits;
  readonly #seed: number;
  /** Each bucket is paid for until then. */
  readonly #cookiesPaidUntil = new Float64Array(cookieBuckets);
  readonly #words = new Uint32Array(addressWords);
  readonly #perAddress = new Map<string, number>();
  readonly #perPrefix = new Map<number, number>();
  #handshakesPaidUntil = 0;
  #underWay = 0;
  #heldBytes = 0;

  constructor(limits: DtlsLimits, random: Random) {
    this.#limits = limits;
    this.#seed = Math.floor(random.fraction() * wordRange);
  }

  get underWay(): number {
    return this.#underWay;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** No handshake at all can begin; a place has to become free. */
  get isFull(): boolean {
    return this.#underWay >= this.#limits.handshakes || this.#heldBytes >= this.#limits.handshakeBytes;
  }

  /** Handshakes under way from the prefix of an address. */
  around(address: SocketAddress): number {
    return this.#perPrefix.get(this.#prefixOf(address)) ?? 0;
  }

  mayAnswerHello(from: SocketAddress, now: number): boolean {
    const bucket = this.#prefixOf(from) % cookieBuckets;
    const paidUntil = this.#cookiesPaidUntil[bucket] ?? 0;
    // A second's worth may come at once.
    if (paidUntil - now >= second) return false;
    this.#cookiesPaidUntil[bucket] = Math.max(paidUntil, now) + second / this.#limits.cookiesPerPrefixPerSecond;
    return true;
  }

  /** Counts it as begun when it says "ok"; then `ended` has to follow. */
  begin(from: SocketAddress, now: number): AdmissionVerdict {
    const limits = this.#limits;
    const prefix = this.#prefixOf(from);
    const here = this.#perAddress.get(from.address) ?? 0;
    const around = this.#perPrefix.get(prefix) ?? 0;
    if (this.isFull || here >= limits.handshakesPerAddress || around >= limits.handshakesPerPrefix) return "busy";
    const priceMs = second / limits.handshakesPerSecond;
    if (this.#handshakesPaidUntil - now >= priceMs * limits.handshakeBurst) return "rate";
    this.#handshakesPaidUntil = Math.max(this.#handshakesPaidUntil, now) + priceMs;
    this.#underWay += 1;
    this.#perAddress.set(from.address, here + 1);
    this.#perPrefix.set(prefix, around + 1);
    return "ok";
  }

  ended(from: SocketAddress): void {
    this.#underWay -= 1;
    countDown(this.#perAddress, from.address);
    countDown(this.#perPrefix, this.#prefixOf(from));
  }

  /** Bytes a handshake took or, below zero, gave back. */
  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  /** Room for `bytes` more. */
  hasRoom(bytes: number): boolean {
    return this.#heldBytes + bytes <= this.#limits.handshakeBytes;
  }

  #prefixOf({ address }: SocketAddress): number {
    const words = this.#words;
    if (!readAddress(address, words)) return 0;
    const [first = 0, second = 0, third = 0, fourth = 0] = words;
    const isIPv4 = first === 0 && second === 0 && third === 0xffff;
    return isIPv4 ? mix(this.#seed, fourth >>> 8) : mix(mix(this.#seed, first), second >>> 8);
  }
}

function countDown<K>(counts: Map<K, number>, key: K): void {
  const left = (counts.get(key) ?? 1) - 1;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}
