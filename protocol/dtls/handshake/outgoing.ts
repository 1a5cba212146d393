/** What goes out: the flight of the moment, kept whole and cut into records for the path as it is (RFC 6347 §4.2.3, §4.2.4). */
import { type AlertDescription, ContentType } from "../constants.ts";
import type { OutgoingRecord } from "../handshake-contract.ts";
import { encodeAlert } from "../wire/alert.ts";
import { encodeHandshakeFragment, encodeHandshakeMessage, handshakeHeaderBytes } from "../wire/handshake-header.ts";

interface MessagePart {
  readonly kind: "message";
  readonly epoch: 0 | 1;
  readonly type: number;
  readonly sequence: number;
  /** With its header, as one fragment. */
  readonly message: Uint8Array;
}

type FlightPart = MessagePart | { readonly kind: "change-cipher-spec" };

export class Outgoing {
  #sequence: number;
  #epoch: 0 | 1 = 0;
  #flight: FlightPart[] = [];
  #heldBytes = 0;
  #isComplete = true;
  /** What the peer takes in one record; counts for handshake messages too (RFC 6066 §4). */
  largestRecordBytes = Number.POSITIVE_INFINITY;

  constructor(firstSequence: number) {
    this.#sequence = firstSequence;
  }

  get isEmpty(): boolean {
    return this.#flight.length === 0;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The first message after `complete` begins a new flight. Returns the message as the transcript has it. */
  add(type: number, body: Uint8Array): Uint8Array {
    this.#begin();
    const sequence = this.#sequence;
    this.#sequence += 1;
    const message = encodeHandshakeMessage(type, sequence, body);
    this.#flight.push({ kind: "message", epoch: this.#epoch, type, sequence, message });
    this.#heldBytes += message.length;
    return message;
  }

  addChangeCipherSpec(): void {
    this.#begin();
    this.#flight.push({ kind: "change-cipher-spec" });
    this.#heldBytes += 1;
    this.#epoch = 1;
  }

  complete(): void {
    this.#isComplete = true;
  }

  clear(): void {
    this.#flight = [];
    this.#heldBytes = 0;
  }

  /** The flight as records of at most so many bytes in the clear, one message or fragment each: small devices read no more. */
  records(mtuBytes: number): OutgoingRecord[] {
    const step = Math.min(mtuBytes, this.largestRecordBytes) - handshakeHeaderBytes;
    if (step < 1) throw new Error(`no fragment of a handshake message fits a record of ${mtuBytes} bytes`);
    const records: OutgoingRecord[] = [];
    for (const part of this.#flight) {
      if (part.kind === "change-cipher-spec") records.push(changeCipherSpec);
      else addFragments(part, step, records);
    }
    return records;
  }

  alert(description: AlertDescription): OutgoingRecord {
    return { type: ContentType.alert, epoch: this.#epoch, fragment: encodeAlert(description) };
  }

  #begin(): void {
    if (!this.#isComplete) return;
    this.clear();
    this.#isComplete = false;
  }
}

/** RFC 5246 §7.1. */
const changeCipherSpec: OutgoingRecord = { type: ContentType.changeCipherSpec, epoch: 0, fragment: Uint8Array.of(1) };

function addFragments({ type, sequence, message, epoch }: MessagePart, step: number, records: OutgoingRecord[]): void {
  const length = message.length - handshakeHeaderBytes;
  if (length <= step) {
    records.push({ type: ContentType.handshake, epoch, fragment: message });
    return;
  }
  const body = message.subarray(handshakeHeaderBytes);
  for (let fragmentOffset = 0; fragmentOffset < length; fragmentOffset += step) {
    const bytes = body.subarray(fragmentOffset, fragmentOffset + step);
    const fragment = encodeHandshakeFragment({ type, length, sequence, fragmentOffset, bytes });
    records.push({ type: ContentType.handshake, epoch, fragment });
  }
}
