/**
 * What both roles share: messages in by the transition table, flights out, one timer, one open question (RFC 6347 §4.2.4).
 *
 *   handshaking --last message, ours was not the last flight--> over (connected, done)
 *   handshaking --last message, answered by our last flight---> lingering --application data | 2 MSL--> over (done)
 *   handshaking --fault | alert | deadline--------------------> over (failed)
 *
 * Timers. Waiting for an answer: the flight again, twice as late each time. The next flight has begun: only the deadline, because the
 * peer sends until it is complete. Waiting for the peer's last flight: always the first, because that one is only repeated when asked.
 * Lingering: 2 MSL; our last flight is sent again for each repeat of the peer's Finished.
 */
import type { Random } from "../../ports/random.ts";
import { AlertDescription, ContentType, HandshakeType } from "../constants.ts";
import type {
  Answer,
  ConnectionFacts,
  HandshakeEffect,
  HandshakeFailure,
  HandshakeInput,
  HandshakeSettings,
  Question,
} from "../handshake-contract.ts";
import { DtlsFormatError } from "../wire/format-error.ts";
import type { HandshakeFragment } from "../wire/handshake-header.ts";
import { HandshakeAbort } from "./abort.ts";
import { type Afterwards, FlightTimer } from "./flight-timer.ts";
import { Inbox } from "./inbox.ts";
import { findEndingAlert, findFragments, isChangeCipherSpec } from "./incoming.ts";
import { Outgoing } from "./outgoing.ts";
import type { Role } from "./role.ts";
import { Transcript } from "./transcript.ts";
import type { Flow } from "./transitions.ts";

export class Conversation {
  readonly transcript = new Transcript();
  readonly #settings: HandshakeSettings;
  readonly #role: Role;
  readonly #inbox: Inbox;
  readonly #timer: FlightTimer;
  readonly #outgoing: Outgoing;
  #effects: HandshakeEffect[] = [];
  #phase: "handshaking" | "lingering" | "over" = "handshaking";
  /** message_seq of the peer's message our flight answers: its repeat asks for the flight again. */
  #answered = -1;
  #pending: { readonly ask: number; readonly resume: (answer: Answer) => void } | undefined;
  #asked = 0;
  #silence: { readonly failure: HandshakeFailure; readonly reason: () => string } = { failure: "timeout", reason: () => "no answer" };
  #now = 0;

  constructor(
    parts: { readonly settings: HandshakeSettings; readonly random: Random; readonly role: Role },
    first: { readonly receive: number; readonly send: number },
  ) {
    this.#settings = parts.settings;
    this.#role = parts.role;
    this.#inbox = new Inbox(parts.settings, first.receive);
    this.#timer = new FlightTimer(parts.settings, parts.random);
    this.#outgoing = new Outgoing(first.send);
    this.#answered = first.receive - 1;
  }

  get heldBytes(): number {
    return this.#inbox.heldBytes + this.transcript.heldBytes + this.#outgoing.heldBytes;
  }

  start(nowMs: number, action: () => void): readonly HandshakeEffect[] {
    this.#timer.begin(nowMs);
    return this.#run(nowMs, action);
  }

  step(input: HandshakeInput, nowMs: number): readonly HandshakeEffect[] {
    return this.#run(nowMs, () => this.#take(input));
  }

  /** Silent end: nothing is sent, nothing comes any more. */
  close(): void {
    if (this.#phase === "over") return;
    this.#end();
  }

  follow(flow: Flow): void {
    this.#inbox.follow(flow);
  }

  /** The message joins the flight and the transcript. */
  add(type: number, body: Uint8Array): void {
    this.transcript.append(this.#outgoing.add(type, body));
  }

  addChangeCipherSpec(): void {
    this.#outgoing.addChangeCipherSpec();
  }

  send(afterwards: Afterwards): void {
    this.#outgoing.complete();
    this.#answered = this.#inbox.nextSequence - 1;
    this.#timer.sent(afterwards, this.#now);
    this.#sendFlight();
  }

  /** `largestBytes` the peer takes in one record, from now on. */
  limitRecords(largestBytes: number): void {
    this.#outgoing.largestRecordBytes = largestBytes;
  }

  emit(effect: HandshakeEffect): void {
    this.#effects.push(effect);
  }

  /** Nothing of the peer is taken until the answer is there; it waits in the inbox. The last effect of its step. */
  ask(question: Question, resume: (answer: Answer) => void): void {
    this.#pending = { ask: ++this.#asked, resume };
    // A question before the first flight is bounded, too.
    this.#arm();
    this.emit({ kind: "ask", ask: this.#asked, question });
  }

  /** How silence from here on is to be read: a peer with another key cannot be heard at all. */
  explainSilence(failure: HandshakeFailure, reason: () => string): void {
    this.#silence = { failure, reason };
  }

  /** `linger` when our flight was the last. */
  connected(facts: ConnectionFacts, linger: boolean): void {
    // To repeat the last flight takes no secret any more.
    this.transcript.clear();
    this.#role.wipe();
    this.emit({ kind: "connected", facts });
    if (linger) {
      this.#phase = "lingering";
      this.emit({ kind: "timer", delayMs: this.#settings.lingerMs });
    } else this.#finish();
  }

  #run(nowMs: number, action: () => void): readonly HandshakeEffect[] {
    if (this.#phase === "over") return [];
    this.#now = nowMs;
    this.#effects = [];
    try {
      action();
    } catch (error) {
      this.#abort(error);
    }
    return this.#effects;
  }

  #take(input: HandshakeInput): void {
    switch (input.kind) {
      case "record":
        this.#takeRecord(input.type, input.epoch, input.fragment);
        return;
      case "application-data":
        // In the middle of a handshake it is data of nobody: dropped (RFC 6347 §4.1).
        if (this.#phase === "lingering") this.#finish();
        return;
      case "timeout":
        this.#takeTimeout();
        return;
      case "answer":
        this.#takeAnswer(input.ask, input.answer);
        return;
    }
  }

  #takeRecord(type: number, epoch: 0 | 1, fragment: Uint8Array): void {
    switch (type) {
      case ContentType.changeCipherSpec:
        if (epoch !== 0 || !isChangeCipherSpec(fragment)) return;
        this.#inbox.changeCipherSpec();
        this.#drain();
        return;
      case ContentType.alert:
        this.#takeAlert(epoch, fragment);
        return;
      case ContentType.handshake:
        this.#takeFragments(epoch, fragment);
        return;
      default:
        return;
    }
  }

  #takeAlert(epoch: 0 | 1, fragment: Uint8Array): void {
    // A plain alert cannot end what is established (RFC 6347 §4.1.2.7), nor come after the peer's ChangeCipherSpec.
    if (epoch === 0 && (this.#phase === "lingering" || this.#inbox.hasChangeCipherSpec)) return;
    const description = findEndingAlert(fragment);
    if (description === undefined) return;
    if (this.#phase === "lingering") this.#finish();
    else this.#fail("alert-received", `the peer sent alert ${description}`);
  }

  #takeFragments(epoch: 0 | 1, record: Uint8Array): void {
    for (const fragment of findFragments(record)) {
      if (this.#isStrayHello(fragment, epoch)) continue;
      // All there is to hear then is Finished once more, and that is protected.
      if (this.#phase === "lingering" && epoch === 0) continue;
      if (fragment.sequence < this.#inbox.nextSequence) {
        this.#takeRepeat(fragment.sequence);
        continue;
      }
      if (this.#phase === "lingering") continue;
      if (this.#inbox.place(fragment, epoch) && this.#timer.nextFlightBegan()) this.#arm();
    }
    this.#drain();
  }

  /** Asks to negotiate again: ignored in a handshake (RFC 5246 §7.4.1.1), refused after it (RFC 5746 §4.2 allows that). */
  #isStrayHello(fragment: HandshakeFragment, epoch: 0 | 1): boolean {
    const asks = this.#role.name === "client" ? HandshakeType.helloRequest : HandshakeType.clientHello;
    if (fragment.type !== asks) return false;
    if (this.#phase === "lingering") {
      if (epoch === 1) this.#sendAlert(AlertDescription.noRenegotiation);
      return epoch === 1;
    }
    return this.#role.name === "client";
  }

  #takeRepeat(sequence: number): void {
    if (sequence !== this.#answered || this.#outgoing.isEmpty || !this.#timer.mayRepeat(this.#now)) return;
    this.#sendFlight();
  }

  /** Takes what is whole and next, until something is missing, asked or over. */
  #drain(): void {
    while (this.#phase === "handshaking" && this.#pending === undefined) {
      const taken = this.#inbox.take();
      if (taken === undefined) return;
      this.#role.receive(taken.step, taken.message);
    }
  }

  #takeAnswer(ask: number, answer: Answer): void {
    const pending = this.#pending;
    if (pending === undefined || pending.ask !== ask) return;
    this.#pending = undefined;
    if (answer.kind === "failed") throw new HandshakeAbort("lookup-failed", AlertDescription.internalError, answer.reason);
    pending.resume(answer);
    this.#drain();
  }

  #takeTimeout(): void {
    if (this.#phase === "lingering") {
      this.#finish();
      return;
    }
    switch (this.#timer.fired(this.#now)) {
      case "again":
        this.#sendFlight();
        return;
      case "wait":
        this.#arm();
        return;
      case "give-up":
        this.#fail(this.#silence.failure, this.#silence.reason());
        return;
    }
  }

  #sendFlight(): void {
    this.emit({ kind: "send", records: this.#outgoing.records(this.#timer.mtuBytes), small: this.#timer.isSmallPath });
    if (this.#phase === "handshaking") this.#arm();
  }

  #arm(): void {
    const delayMs = this.#timer.arm(this.#now);
    if (delayMs !== undefined) this.emit({ kind: "timer", delayMs });
  }

  #sendAlert(description: AlertDescription): void {
    this.emit({ kind: "send", records: [this.#outgoing.alert(description)], small: false });
  }

  #abort(error: unknown): void {
    if (!(error instanceof HandshakeAbort || error instanceof DtlsFormatError)) throw error;
    if (error.alert !== undefined) this.#sendAlert(error.alert);
    this.#fail(error instanceof HandshakeAbort ? error.code : "bad-message", error.message);
  }

  #fail(failure: HandshakeFailure, reason: string): void {
    this.emit({ kind: "timer", delayMs: undefined });
    this.emit({ kind: "failed", failure, reason });
    this.#end();
  }

  #finish(): void {
    this.emit({ kind: "timer", delayMs: undefined });
    this.emit({ kind: "done" });
    this.#end();
  }

  #end(): void {
    this.#phase = "over";
    this.#pending = undefined;
    this.#inbox.clear();
    this.#outgoing.clear();
    this.transcript.clear();
    this.#role.wipe();
  }
}
