/** What came in, given out in the order of the transition table (RFC 5246 §7.3): the one place that decides what may come next. */
import { AlertDescription, HandshakeType } from "../constants.ts";
import type { HandshakeFragment } from "../wire/handshake-header.ts";
import { HandshakeAbort } from "./abort.ts";
import { Reassembly, type ReassemblyBounds, type WholeMessage } from "./reassembly.ts";
import { type Awaiting, type Flow, type HandshakeStep, next, stepOf } from "./transitions.ts";

export interface Taken {
  readonly step: HandshakeStep;
  readonly message: WholeMessage;
}

export class Inbox {
  readonly #reassembly: Reassembly;
  #flow: Flow = { first: "nothing", rows: {} };
  #awaiting: Awaiting = "nothing";
  #changeCipherSpecArrived = false;

  constructor(bounds: ReassemblyBounds, firstSequence: number) {
    this.#reassembly = new Reassembly(bounds, firstSequence);
  }

  get heldBytes(): number {
    return this.#reassembly.heldBytes;
  }

  /** message_seq of the message that comes next. */
  get nextSequence(): number {
    return this.#reassembly.nextSequence;
  }

  /** The peer says that everything it sends from now on is protected. */
  get hasChangeCipherSpec(): boolean {
    return this.#changeCipherSpecArrived;
  }

  follow(flow: Flow): void {
    this.#flow = flow;
    this.#awaiting = flow.first;
  }

  /**
   * It has no message_seq, so its place among the messages cannot be told from where it arrives: it is noted, and counts where the
   * table has it. It is plain and anybody's, therefore it changes no keys: epoch 1 is what can be opened with the keys of epoch 1.
   */
  changeCipherSpec(): void {
    this.#changeCipherSpecArrived = true;
  }

  /** True when something of it is kept. Throws `HandshakeAbort` for a next message that is too long. */
  place(fragment: HandshakeFragment, epoch: 0 | 1): boolean {
    const placement = this.#reassembly.place(fragment, epoch);
    if (placement === "too-large") {
      const message = `message of type ${fragment.type} of ${fragment.length} bytes`;
      throw new HandshakeAbort("too-large", AlertDescription.illegalParameter, message);
    }
    return placement === "kept";
  }

  clear(): void {
    this.#reassembly.clear();
  }

  /** The next message, once whole; throws `HandshakeAbort` when the table does not have it here. */
  take(): Taken | undefined {
    const changed = next(this.#flow, this.#awaiting, "changeCipherSpec");
    if (changed !== undefined && this.#changeCipherSpecArrived) this.#awaiting = changed;
    const message = this.#reassembly.peek();
    if (message === undefined) return undefined;
    const isFinished = message.type === HandshakeType.finished;
    // Finished alone is protected, and never anything else before it (RFC 6347 §4.1).
    const isAtItsEpoch = isFinished === (message.epoch === 1);
    if (this.#awaiting === "change-cipher-spec" && isFinished && isAtItsEpoch) {
      // It overtook the ChangeCipherSpec.
      return undefined;
    }
    const step = stepOf(message.type);
    const awaiting = next(this.#flow, this.#awaiting, step);
    if (awaiting === undefined || step === undefined || !isAtItsEpoch) {
      const what = `${step ?? `type ${message.type}`} in epoch ${message.epoch}`;
      throw new HandshakeAbort("unexpected-message", AlertDescription.unexpectedMessage, `${what} while awaiting ${this.#awaiting}`);
    }
    this.#reassembly.take();
    this.#awaiting = awaiting;
    return { step, message };
  }
}
