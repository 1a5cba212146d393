/** Which of two notifications is the newer one (RFC 7641 §3.4). */

export interface NotificationMark {
  /** The value of Observe, 24 bits. */
  readonly sequence: number;
  readonly receivedAt: number;
}

/** RFC 7641 §3.4: after this long the order of numbers says nothing any more. */
const orderLastsMs = 128_000;
const halfOfNumbers = 0x800000;

export function isNewer(last: NotificationMark | undefined, next: NotificationMark): boolean {
  if (last === undefined) return true;
  if (next.receivedAt > last.receivedAt + orderLastsMs) return true;
  const ahead = next.sequence - last.sequence;
  return (ahead > 0 && ahead < halfOfNumbers) || -ahead > halfOfNumbers;
}
