/** The last sign of life of each device and what it was, in memory: a number per device that was heard from since the start. */

/** `message`: from before the start, of a kind nobody remembers. */
export const signalKinds = ["message", "register", "update", "send", "notify", "answer", "ack", "handshake"] as const;

export type SignalKind = (typeof signalKinds)[number];

export interface Signal {
  readonly kind: SignalKind;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** The kind sits below the milliseconds: two numbers would be an object per device. */
const kindsRoom = 16;

export class SignalLog {
  readonly #last = new Map<string, number>();

  note(endpoint: string, kind: SignalKind, at: number): void {
    this.#last.set(endpoint, Math.floor(at) * kindsRoom + signalKinds.indexOf(kind));
  }

  find(endpoint: string): Signal | undefined {
    const packed = this.#last.get(endpoint);
    if (packed === undefined) return undefined;
    return { kind: signalKinds[packed % kindsRoom] ?? "message", at: Math.floor(packed / kindsRoom) };
  }

  forget(endpoint: string): void {
    this.#last.delete(endpoint);
  }
}
