/**
 * How much of one peer, and of all together, is taken in: a token bucket each, looked at before a message's options and payload are.
 *
 * On the path of every request, so a bucket is one number: the time up to which what was taken in is paid for. A message adds its
 * share of a second; how far that time may lie ahead is the burst.
 */
import type { CoapLimits } from "./limits.ts";

export type Verdict = "admitted" | "peer-over" | "all-over";

/** The part of a peer's record this owns. */
export interface PeerAccount {
  paidUntil: number;
}

const msPerSecond = 1_000;

export class Admission {
  readonly #peerShareMs: number;
  readonly #peerBurstMs: number;
  readonly #shareMs: number;
  readonly #burstMs: number;
  #paidUntil = 0;

  constructor(limits: CoapLimits) {
    this.#peerShareMs = msPerSecond / limits.messagesPerSecondPerPeer;
    this.#peerBurstMs = this.#peerShareMs * (limits.messageBurstPerPeer - 1);
    this.#shareMs = msPerSecond / limits.messagesPerSecond;
    this.#burstMs = this.#shareMs * (limits.messageBurst - 1);
  }

  /** A message that is refused costs nothing. */
  judge(account: PeerAccount, sinceOpenMs: number): Verdict {
    const peer = paidFrom(account.paidUntil, sinceOpenMs, this.#peerBurstMs + this.#peerShareMs);
    if (peer - sinceOpenMs > this.#peerBurstMs) return "peer-over";
    const all = paidFrom(this.#paidUntil, sinceOpenMs, this.#burstMs + this.#shareMs);
    if (all - sinceOpenMs > this.#burstMs) return "all-over";
    account.paidUntil = peer + this.#peerShareMs;
    this.#paidUntil = all + this.#shareMs;
    return "admitted";
  }
}

/** Unused time is not saved up beyond the burst. A debt larger than any can be means that the clock was set back: it is forgiven. */
function paidFrom(paidUntil: number, now: number, mostDebtMs: number): number {
  return paidUntil < now || paidUntil - now > mostDebtMs + 1 ? now : paidUntil;
}
