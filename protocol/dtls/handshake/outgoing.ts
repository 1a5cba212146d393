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
  readonly body: Uint8Array;
}

type FlightPart = MessagePart | { readonly kind: "change-cipher-spec" };

export class Outgoing {
  #sequence: number;
  #epoch: 0 | 1 = 0;
  #flight: FlightPart[] = [];
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
    return this.#flight.reduce((sum, part) => sum + (part.kind === "message" ? handshakeHeaderBytes + part.body.length : 1), 0);
  }

  /** The first message after `complete` begins a new flight. Returns the message as the transcript has it. */
  add(type: number, body: Uint8Array): Uint8Array {
    this.#begin();
    const sequence = this.#sequence;
    this.#sequence += 1;
    this.#flight.push({ kind: "message", epoch: this.#epoch, type, sequence, body });
    return encodeHandshakeMessage(type, sequence, body);
  }

  addChangeCipherSpec(): void {
    this.#begin();
    this.#flight.push({ kind: "change-cipher-spec" });
    this.#epoch = 1;
  }

  complete(): void {
    this.#isComplete = true;
  }

  clear(): void {
    this.#flight = [];
  }

  /** The flight as records of at most so many bytes in the clear, one message or fragment each: small devices read no more. */
  records(mtuBytes: number): OutgoingRecord[] {
    const step = Math.min(mtuBytes, this.largestRecordBytes) - handshakeHeaderBytes;
    if (step < 1) throw new Error(`no fragment of a handshake message fits a record of ${mtuBytes} bytes`);
    return this.#flight.flatMap((part) => (part.kind === "message" ? fragmentsOf(part, step) : [changeCipherSpec]));
  }

  alert(description: AlertDescription): OutgoingRecord {
    return { type: ContentType.alert, epoch: this.#epoch, fragment: encodeAlert(description) };
  }

  #begin(): void {
    if (!this.#isComplete) return;
    this.#flight = [];
    this.#isComplete = false;
  }
}

/** RFC 5246 §7.1. */
const changeCipherSpec: OutgoingRecord = { type: ContentType.changeCipherSpec, epoch: 0, fragment: Uint8Array.of(1) };

function fragmentsOf({ type, sequence, body, epoch }: MessagePart, step: number): OutgoingRecord[] {
  const records: OutgoingRecord[] = [];
  let fragmentOffset = 0;
  // An empty body is one fragment too.
  do {
    const bytes = body.subarray(fragmentOffset, fragmentOffset + step);
    const fragment = encodeHandshakeFragment({ type, length: body.length, sequence, fragmentOffset, bytes });
    records.push({ type: ContentType.handshake, epoch, fragment });
    fragmentOffset += step;
  } while (fragmentOffset < body.length);
  return records;
}
