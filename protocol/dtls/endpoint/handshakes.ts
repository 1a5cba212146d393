/**
 * Runs the handshake machines: inputs in, effects out, a deadline each, look-ups, and the bounds over all of them.
 *
 * A machine never works on the path of a datagram of an established peer: its turns are those of `WorkTurns`.
 */
import type { SocketAddress } from "../../ports/datagram-socket.ts";
import { DtlsError } from "../endpoint-contract.ts";
import type { ConnectionKeys, HandshakeEffect, HandshakeFailure, HandshakeInput } from "../handshake-contract.ts";
import type { Associations } from "./associations.ts";
import { HalfOpen } from "./half-open.ts";
import { empty, type HandshakeRun, HandshakeRuns, newRun, type RunStart } from "./handshake-run.ts";
import { answerTo } from "./questions.ts";
import type { Sender } from "./sender.ts";
import type { Site } from "./site.ts";

/** Header and protection around the smallest records: 548 bytes in all by default, what every IPv4 path carries (RFC 791 §3.2 without headers). */
const smallDatagramExtraBytes = 36;
const none = -1;

export class Handshakes {
  readonly runs = new HandshakeRuns();
  readonly #site: Site;
  readonly #associations: Associations;
  readonly #sender: Sender;
  readonly #halfOpen = new HalfOpen();
  /** Connected, oldest first. */
  readonly #lingering = new Set<HandshakeRun>();
  #openLookUps = 0;
  #waitingBytes = 0;
  /** Takes up the records that came before their keys. */
  onKeys: (records: readonly Uint8Array[], from: SocketAddress) => void = () => {};

  constructor(site: Site, associations: Associations, sender: Sender) {
    this.#site = site;
    this.#associations = associations;
    this.#sender = sender;
    associations.onClose = (row) => {
      const run = this.runs.ofRow(row);
      if (run !== undefined) this.#drop(run);
    };
  }

  /** Takes the place of a handshake under way at the same address. The caller was admitted. */
  begin(start: RunStart): HandshakeRun {
    const before = this.runs.at(start.address);
    if (before !== undefined) this.cancel(before, "another handshake began at the same address");
    const run = newRun(start, this.#site.clock.now());
    this.runs.add(run);
    this.#halfOpen.add(run);
    this.#site.counters.handshakesStarted += 1;
    this.#guard(run, () => this.#apply(run, run.machine.start(this.#site.clock.now())));
    return run;
  }

  /** When all places are taken; the caller is going to ask for one. */
  makeRoomFor(address: SocketAddress): void {
    const run = this.#halfOpen.findFor(address, this.#site.admission);
    if (run !== undefined) this.cancel(run, "its place was needed");
  }

  /** The fragment may be a view: it is copied when its turn comes later. */
  feed(run: HandshakeRun, type: number, epoch: 0 | 1, fragment: Uint8Array): void {
    this.#take(run, { kind: "record", type, epoch, fragment }, fragment.length);
  }

  heardData(run: HandshakeRun): void {
    this.#take(run, { kind: "application-data" }, 0);
  }

  /** Keeps a whole record of epoch 1 until the keys are there. */
  keepEarly(run: HandshakeRun, record: Uint8Array): void {
    const { counters, limits, admission } = this.#site;
    if (run.earlyBytes + record.length > limits.earlyBytes || !admission.hasRoom(record.length)) {
      counters.earlyRecordsDropped += 1;
      return;
    }
    counters.earlyRecords += 1;
    run.early.push(new Uint8Array(record));
    run.earlyBytes += record.length;
    this.#count(run);
  }

  cancel(run: HandshakeRun, reason: string): void {
    if (run.connected) this.#drop(run);
    else this.#fail(run, "cancelled", reason);
  }

  close(): void {
    for (const run of this.runs.all()) this.cancel(run, "the endpoint was closed");
  }

  /** No handshake holds more of the queue than its share, and all of them no more bytes than their bound. */
  #take(run: HandshakeRun, input: HandshakeInput, bytes: number): void {
    const { limits, turns, counters } = this.#site;
    const hasPlace = run.waiting < limits.waitingWorkPerHandshake && this.#waitingBytes + bytes <= limits.waitingWorkBytes;
    if (!hasPlace) {
      counters.handshakeWorkDropped += 1;
      return;
    }
    this.#countWaiting(run, 1, bytes);
    let taken = input;
    const outcome = turns.take(() => {
      this.#countWaiting(run, -1, bytes);
      this.#step(run, taken);
    });
    if (outcome === "waits") {
      // Machines copy what they keep, but until then the fragment is a view of bytes that may be used again.
      taken = copied(input);
      counters.handshakeWorkDelayed += 1;
    }
    if (outcome !== "dropped") return;
    this.#countWaiting(run, -1, bytes);
    counters.handshakeWorkDropped += 1;
  }

  #countWaiting(run: HandshakeRun, by: 1 | -1, bytes: number): void {
    run.waiting += by;
    this.#waitingBytes += by * bytes;
  }

  #step(run: HandshakeRun, input: HandshakeInput): void {
    if (run.over) return;
    this.#guard(run, () => this.#apply(run, run.machine.step(input, this.#site.clock.now())));
  }

  /** A bug ends the handshake it came up in and nothing else. */
  #guard(run: HandshakeRun, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#site.bug(error);
      this.cancel(run, "internal error");
    }
  }

  #apply(run: HandshakeRun, effects: readonly HandshakeEffect[]): void {
    for (const effect of effects) {
      if (run.over) return;
      this.#applyOne(run, effect);
    }
    if (run.over) return;
    this.#count(run);
    if (run.row === none || run.early.length === 0) return;
    const { early } = run;
    run.early = [];
    run.earlyBytes = 0;
    this.onKeys(early, run.address);
  }

  #applyOne(run: HandshakeRun, effect: HandshakeEffect): void {
    switch (effect.kind) {
      case "send":
        this.#send(run, effect);
        return;
      case "keys":
        run.row = this.#associations.open(effect.keys, run.role, run.address);
        wipe(effect.keys);
        if (run.row !== none) {
          this.runs.addRow(run);
          return;
        }
        this.#site.counters.handshakesRefusedFull += 1;
        this.#fail(run, "cancelled", "there is no room for another connection");
        return;
      case "timer":
        this.#setTimer(run, effect.delayMs);
        return;
      case "ask":
        this.#ask(run, effect);
        return;
      case "connected": {
        run.connected = true;
        this.#halfOpen.remove(run);
        this.#site.admission.ended(run.address);
        this.#linger(run);
        const peer = this.#associations.establish(run.row, effect.facts, run);
        run.settle?.connected(peer, effect.facts.session);
        return;
      }
      case "done":
        this.#drop(run);
        return;
      case "failed":
        this.#fail(run, effect.failure, effect.reason);
        return;
    }
  }

  #linger(run: HandshakeRun): void {
    this.#lingering.add(run);
    if (this.#lingering.size <= this.#site.limits.lingering) return;
    for (const oldest of this.#lingering) {
      this.#drop(oldest);
      return;
    }
  }

  #send(run: HandshakeRun, { records, small }: Extract<HandshakeEffect, { kind: "send" }>): void {
    const { limits, settings } = this.#site;
    this.#sender.sendFlight(run, records, small ? settings.smallMtuBytes + smallDatagramExtraBytes : limits.datagramBytes);
  }

  #setTimer(run: HandshakeRun, delayMs: number | undefined): void {
    run.timer?.cancel();
    run.timer = delayMs === undefined ? undefined : this.#site.clock.after(delayMs, () => this.#timeOut(run));
  }

  /** Work that found no place must not be lost when nobody else will ask again. */
  #timeOut(run: HandshakeRun): void {
    run.timer = undefined;
    const outcome = this.#site.turns.take(() => this.#step(run, { kind: "timeout" }));
    if (outcome === "dropped" && !run.over) this.#setTimer(run, this.#site.settings.initialTimeoutMs);
  }

  #ask(run: HandshakeRun, { ask, question }: Extract<HandshakeEffect, { kind: "ask" }>): void {
    const { limits, counters } = this.#site;
    if (this.#openLookUps >= limits.lookUps) {
      counters.lookUpsRefused += 1;
      this.#fail(run, "lookup-failed", "too many look-ups are under way");
      return;
    }
    const answer = answerTo(question, run.credentials);
    if (!(answer instanceof Promise)) {
      this.#step(run, { kind: "answer", ask, answer });
      return;
    }
    this.#openLookUps += 1;
    answer.then(
      (late) => {
        this.#openLookUps -= 1;
        const outcome = this.#site.turns.take(() => this.#step(run, { kind: "answer", ask, answer: late }));
        if (outcome === "dropped" && !run.over) this.#fail(run, "lookup-failed", "too much handshake work waits");
      },
      (error) => this.#site.bug(error),
    );
    return;
  }

  #fail(run: HandshakeRun, failure: HandshakeFailure, reason: string): void {
    if (run.over) return;
    const { row } = run;
    this.#drop(run);
    if (row !== none) this.#associations.abandon(row);
    this.#site.counters[`failed-${failure}`] += 1;
    this.#site.tell({ kind: "handshake-failed", address: run.address, failure, reason });
    run.settle?.failed(new DtlsError(failure, reason));
  }

  #drop(run: HandshakeRun): void {
    if (run.over) return;
    run.over = true;
    run.timer?.cancel();
    empty(run);
    this.runs.remove(run);
    this.#lingering.delete(run);
    this.#halfOpen.remove(run);
    this.#site.admission.hold(-run.countedBytes);
    if (!run.connected) this.#site.admission.ended(run.address);
  }

  #count(run: HandshakeRun): void {
    const bytes = run.machine.heldBytes + run.earlyBytes;
    this.#site.admission.hold(bytes - run.countedBytes);
    run.countedBytes = bytes;
  }
}

function copied(input: HandshakeInput): HandshakeInput {
  // Not by `slice`, which for a Buffer is a view.
  return input.kind === "record" ? { ...input, fragment: new Uint8Array(input.fragment) } : input;
}

/** They stand in the row now, where they are overwritten when it is freed. */
function wipe({ clientKey, serverKey, clientIv, serverIv, clientMacKey, serverMacKey }: ConnectionKeys): void {
  for (const secret of [clientKey, serverKey, clientIv, serverIv, clientMacKey, serverMacKey]) secret.fill(0);
}
