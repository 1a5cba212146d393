/**
 * Messages already seen, per peer and message id, with the answer each one got (RFC 7252 §4.5).
 *
 *   unseen --claim--> executing --answer--> answered (every duplicate gets these bytes again)
 *   executing | answered --lifetime over, release, or pushed out by newer ones--> unseen
 *   any --same message id, other content--> executing (a rebooted device starts its ids anew)
 *
 * On the path of every datagram: entries are rows of one Int32Array, found by a hash of peer and message id in another, and chained per
 * peer from oldest to newest, so that a message costs the same however many of its peer are remembered.
 */
import { noReply, ReplySlab } from "./reply-slab.ts";

/** The part of a peer's record this table owns. */
export interface DedupChain {
  /** Tells peers apart in the index; 0 before the first message. */
  dedupOwner: number;
  /** The oldest entry and the newest. */
  dedupHead: number;
  dedupTail: number;
  dedupCount: number;
}

export const endOfChain = -1;

const column = { owner: 0, messageId: 1, hash: 2, expiresAt: 3, reply: 4, replyLength: 5, next: 6, nextInBucket: 7, serial: 8 } as const;
const columns = 9;
const firstRows = 1_024;
/** Odd numbers with bits all over, so that neighbouring ids and owners fall into different buckets. */
const ownerFactor = 0x9e3779b1;
const messageIdFactor = 0x85ebca6b;

export class DedupTable {
  readonly #replies = new ReplySlab();
  readonly #mostPerPeer: number;
  #rows = new Int32Array(firstRows * columns);
  /** First entry of each bucket; as many buckets as rows, a power of two. */
  #buckets = new Int32Array(firstRows).fill(endOfChain);
  #used = 0;
  #freeHead = endOfChain;
  #owners = 0;
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
    if (peer.dedupOwner === 0) peer.dedupOwner = this.#newOwner();
    this.#dropExpired(peer, now);
    const known = this.#find(peer.dedupOwner, messageId);
    const isKnown = known !== endOfChain && this.#get(known, column.expiresAt) > now;
    if (isKnown && this.#get(known, column.hash) === hash) {
      this.fresh = false;
      this.reused = false;
      return known;
    }
    this.fresh = true;
    this.reused = isKnown;
    // What takes its place is the newest of its peer.
    if (known !== endOfChain) this.#unlink(peer, known);
    else if (peer.dedupCount >= this.#mostPerPeer) this.#unlink(peer, peer.dedupHead);
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
    if (this.#get(entry, column.serial) === serial) this.#unlink(peer, entry);
  }

  /** Forgets every message of a peer. */
  forget(peer: DedupChain): void {
    while (peer.dedupHead !== endOfChain) this.#unlink(peer, peer.dedupHead);
  }

  /** Lifetimes of one kind end in the order they began, so those that are over stand first; others wait behind them. */
  #dropExpired(peer: DedupChain, now: number): void {
    while (peer.dedupHead !== endOfChain && this.#get(peer.dedupHead, column.expiresAt) <= now) this.#unlink(peer, peer.dedupHead);
  }

  #find(owner: number, messageId: number): number {
    const rows = this.#rows;
    let entry = this.#buckets[this.#bucketOf(owner, messageId)] ?? endOfChain;
    while (entry !== endOfChain) {
      const row = entry * columns;
      if (rows[row + column.messageId] === messageId && rows[row + column.owner] === owner) return entry;
      entry = rows[row + column.nextInBucket] ?? endOfChain;
    }
    return endOfChain;
  }

  #link(peer: DedupChain, messageId: number, hash: number, expiresAt: number): number {
    const entry = this.#takeRow();
    const bucket = this.#bucketOf(peer.dedupOwner, messageId);
    this.#serial = (this.#serial + 1) | 0 || 1;
    this.#set(entry, column.owner, peer.dedupOwner);
    this.#set(entry, column.messageId, messageId);
    this.#set(entry, column.hash, hash);
    this.#set(entry, column.expiresAt, expiresAt);
    this.#set(entry, column.reply, noReply);
    this.#set(entry, column.next, endOfChain);
    this.#set(entry, column.nextInBucket, this.#buckets[bucket] ?? endOfChain);
    this.#set(entry, column.serial, this.#serial);
    this.#buckets[bucket] = entry;
    if (peer.dedupHead === endOfChain) peer.dedupHead = entry;
    else this.#set(peer.dedupTail, column.next, entry);
    peer.dedupTail = entry;
    peer.dedupCount++;
    return entry;
  }

  /** The oldest entry goes at once; for another one its chain is walked, at most the entries of one peer. */
  #unlink(peer: DedupChain, entry: number): void {
    const next = this.#get(entry, column.next);
    if (peer.dedupHead === entry) {
      peer.dedupHead = next;
    } else {
      let previous = peer.dedupHead;
      while (this.#get(previous, column.next) !== entry) previous = this.#get(previous, column.next);
      this.#set(previous, column.next, next);
      if (peer.dedupTail === entry) peer.dedupTail = previous;
    }
    peer.dedupCount--;
    this.#leaveBucket(entry);
    this.#dropReply(entry);
    this.#set(entry, column.serial, 0);
    this.#set(entry, column.next, this.#freeHead);
    this.#freeHead = entry;
  }

  #leaveBucket(entry: number): void {
    const bucket = this.#bucketOf(this.#get(entry, column.owner), this.#get(entry, column.messageId));
    const next = this.#get(entry, column.nextInBucket);
    let previous = this.#buckets[bucket] ?? endOfChain;
    if (previous === entry) {
      this.#buckets[bucket] = next;
      return;
    }
    while (this.#get(previous, column.nextInBucket) !== entry) previous = this.#get(previous, column.nextInBucket);
    this.#set(previous, column.nextInBucket, next);
  }

  #bucketOf(owner: number, messageId: number): number {
    const mixed = Math.imul(owner, ownerFactor) ^ Math.imul(messageId, messageIdFactor);
    return (mixed ^ (mixed >>> 15)) & (this.#buckets.length - 1);
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
    if (this.#used === this.#buckets.length) this.#grow();
    return this.#used++;
  }

  /** Only when every row is in use. */
  #grow(): void {
    const larger = new Int32Array(this.#rows.length * 2);
    larger.set(this.#rows);
    this.#rows = larger;
    this.#buckets = new Int32Array(this.#buckets.length * 2).fill(endOfChain);
    for (let entry = 0; entry < this.#used; entry++) {
      const bucket = this.#bucketOf(this.#get(entry, column.owner), this.#get(entry, column.messageId));
      this.#set(entry, column.nextInBucket, this.#buckets[bucket] ?? endOfChain);
      this.#buckets[bucket] = entry;
    }
  }

  /** No two peers have the same until two thousand million have come and gone. */
  #newOwner(): number {
    this.#owners = (this.#owners + 1) & 0x7fffffff || 1;
    return this.#owners;
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
const seed = 0x811c9dc5;
const factor = 0x01000193;
const wordBytes = 4;

/** Length, head and tail, four bytes a step: a rebooted device differs in its token at least. */
export function hashOfDatagram(bytes: Uint8Array): number {
  const length = bytes.length;
  const headEnd = Math.min(length, hashedHeadBytes);
  const tailStart = Math.max(headEnd, length - hashedTailBytes);
  return hashOf(bytes, tailStart, length, hashOf(bytes, 0, headEnd, seed ^ length)) | 0;
}

/** A step is a bijection of what came before, so two that differ in one word only never meet; the shift takes high bits into the next. */
function hashOf(bytes: Uint8Array, start: number, end: number, before: number): number {
  let hash = before;
  let at = start;
  for (; at + wordBytes <= end; at += wordBytes) {
    const word = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    hash = Math.imul(hash ^ word, factor);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), factor);
  return hash;
}
