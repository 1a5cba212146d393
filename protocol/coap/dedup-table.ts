/**
 * Messages already seen, per peer and message id, with the answer each one got (RFC 7252 §4.5).
 *
 *   unseen --claim--> executing --answer--> answered (every duplicate gets these bytes again)
 *   executing | answered --lifetime over, release, or pushed out by newer ones--> unseen
 *   any --same message id, other content--> executing (a rebooted device starts its ids anew)
 *
 * On the path of every datagram: entries are rows of one Int32Array, chained per peer from newest to oldest.
 */
import { noReply, ReplySlab } from "./reply-slab.ts";

/** The part of a peer's record this table owns. */
export interface DedupChain {
  dedupHead: number;
  dedupCount: number;
}

export const endOfChain = -1;

const column = { messageId: 0, hash: 1, expiresAt: 2, reply: 3, replyLength: 4, next: 5, serial: 6 } as const;
const columns = 7;
const firstRows = 1_024;

export class DedupTable {
  readonly #replies = new ReplySlab();
  readonly #mostPerPeer: number;
  #rows = new Int32Array(firstRows * columns);
  #used = 0;
  #freeHead = endOfChain;
  #serial = 0;
  /** After `claim`: whether the message was not seen before. */
  fresh = false;
  /** After `claim`: whether a known message id came with other content. */
  reused = false;

  constructor(mostPerPeer: number) {
    this.#mostPerPeer = mostPerPeer;
  }

  get storedReplyBytes(): number {
    return this.#replies.storedBytes;
  }

  /** The entry of this message, made if there is none. Times are any unit that fits 31 bits, all of one kind. */
  claim(peer: DedupChain, messageId: number, hash: number, now: number, lifetime: number): number {
    let previous = endOfChain;
    let beforeLast = endOfChain;
    let entry = peer.dedupHead;
    // Up to a peer's whole chain is walked for every new message, so the rows are read in place here.
    const rows = this.#rows;
    while (entry !== endOfChain) {
      const row = entry * columns;
      const next = rows[row + column.next] ?? endOfChain;
      if ((rows[row + column.expiresAt] ?? 0) <= now) {
        this.#unlink(peer, entry, previous);
      } else if (rows[row + column.messageId] === messageId) {
        this.reused = this.#get(entry, column.hash) !== hash;
        this.fresh = this.reused;
        if (this.fresh) this.#fill(entry, messageId, hash, now + lifetime);
        return entry;
      } else {
        beforeLast = previous;
        previous = entry;
      }
      entry = next;
    }
    if (peer.dedupCount >= this.#mostPerPeer) this.#unlink(peer, previous, beforeLast);
    this.fresh = true;
    this.reused = false;
    return this.#link(peer, messageId, hash, now + lifetime);
  }

  /** Tells entries apart that used the same row: pass it to `answer` when the answer comes later. */
  serialOf(entry: number): number {
    return this.#get(entry, column.serial);
  }

  /** Stores the answer; nothing happens when the entry has made room for another since. */
  answer(entry: number, serial: number, bytes: Uint8Array): void {
    if (this.#get(entry, column.serial) !== serial) return;
    this.#dropReply(entry);
    this.#set(entry, column.reply, this.#replies.store(bytes));
    this.#set(entry, column.replyLength, bytes.length);
  }

  /** The stored answer, a view valid during the call; undefined while the message is executing. */
  findAnswer(entry: number): Uint8Array | undefined {
    const reference = this.#get(entry, column.reply);
    return reference === noReply ? undefined : this.#replies.read(reference, this.#get(entry, column.replyLength));
  }

  /** Forgets one message: its next copy counts as new. */
  release(peer: DedupChain, entry: number, serial: number): void {
    let previous = endOfChain;
    for (let at = peer.dedupHead; at !== endOfChain; at = this.#get(at, column.next)) {
      if (at === entry && this.#get(at, column.serial) === serial) {
        this.#unlink(peer, at, previous);
        return;
      }
      previous = at;
    }
  }

  /** Forgets every message of a peer. */
  forget(peer: DedupChain): void {
    while (peer.dedupHead !== endOfChain) this.#unlink(peer, peer.dedupHead, endOfChain);
  }

  #link(peer: DedupChain, messageId: number, hash: number, expiresAt: number): number {
    const entry = this.#takeRow();
    this.#set(entry, column.reply, noReply);
    this.#fill(entry, messageId, hash, expiresAt);
    this.#set(entry, column.next, peer.dedupHead);
    peer.dedupHead = entry;
    peer.dedupCount++;
    return entry;
  }

  #unlink(peer: DedupChain, entry: number, previous: number): void {
    const next = this.#get(entry, column.next);
    if (previous === endOfChain) peer.dedupHead = next;
    else this.#set(previous, column.next, next);
    peer.dedupCount--;
    this.#dropReply(entry);
    this.#set(entry, column.serial, 0);
    this.#set(entry, column.next, this.#freeHead);
    this.#freeHead = entry;
  }

  #fill(entry: number, messageId: number, hash: number, expiresAt: number): void {
    this.#dropReply(entry);
    this.#serial = (this.#serial + 1) | 0 || 1;
    this.#set(entry, column.messageId, messageId);
    this.#set(entry, column.hash, hash);
    this.#set(entry, column.expiresAt, expiresAt);
    this.#set(entry, column.serial, this.#serial);
  }

  #dropReply(entry: number): void {
    const reference = this.#get(entry, column.reply);
    if (reference !== noReply) this.#replies.release(reference);
    this.#set(entry, column.reply, noReply);
  }

  #takeRow(): number {
    if (this.#freeHead !== endOfChain) {
      const entry = this.#freeHead;
      this.#freeHead = this.#get(entry, column.next);
      return entry;
    }
    if ((this.#used + 1) * columns > this.#rows.length) {
      const larger = new Int32Array(this.#rows.length * 2);
      larger.set(this.#rows);
      this.#rows = larger;
    }
    return this.#used++;
  }

  #get(entry: number, at: number): number {
    return this.#rows[entry * columns + at] ?? 0;
  }

  #set(entry: number, at: number, value: number): void {
    this.#rows[entry * columns + at] = value;
  }
}

/** Bytes at the start and the end of a datagram that tell two messages with one id apart. */
const hashedHeadBytes = 192;
const hashedTailBytes = 64;
const fnvOffset = 0x811c9dc5;
const fnvPrime = 0x01000193;

/** FNV-1a over the length, the head and the tail: a rebooted device differs in its token at least. */
export function hashOfDatagram(bytes: Uint8Array): number {
  const length = bytes.length;
  let hash = fnvOffset ^ length;
  const headEnd = Math.min(length, hashedHeadBytes);
  for (let i = 0; i < headEnd; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), fnvPrime);
  for (let i = Math.max(headEnd, length - hashedTailBytes); i < length; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), fnvPrime);
  return hash | 0;
}
