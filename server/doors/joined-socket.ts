/**
 * One datagram socket made of a plain one and the plaintext side of DTLS, so that everything above is one CoAP endpoint: an address
 * with an association is reached through DTLS, any other in the clear. Nothing meant for an association ever leaves in the clear.
 */
import type { DatagramSocket, SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";

type Receive = (bytes: Uint8Array, from: SocketAddress) => void;

/**
 * Whose connection this is: asked at the first datagram of each association, which waits for the answer. Undefined when that is known;
 * "not-yet" lets the datagram pass and asks again at the next.
 */
export type Introduce = (peer: SocketAddress, first: Uint8Array) => Promise<void> | "not-yet" | undefined;

interface Held {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
}

/** Of one association, while it is being introduced: a look into the store. The device repeats what finds no place. */
const heldPerAssociation = 16;
const mostHeld = 4_096;

export class JoinedSocket implements DatagramSocket {
  readonly #plain: DatagramSocket;
  readonly #secured: DatagramSocket;
  readonly #introduced = new Set<number>();
  readonly #waiting = new Map<number, Held[]>();
  #held = 0;
  #introduce: Introduce = () => undefined;
  #receive: Receive = () => {};

  constructor(plain: DatagramSocket, secured: DatagramSocket) {
    this.#plain = plain;
    this.#secured = secured;
    secured.onDatagram((bytes, from) => this.#onSecured(bytes, from));
  }

  get local(): SocketAddress {
    return this.#plain.local;
  }

  send(bytes: Uint8Array, to: SocketAddress): void {
    if (to.association === undefined) this.#plain.send(bytes, to);
    else this.#secured.send(bytes, to);
  }

  onDatagram(receive: Receive): void {
    this.#receive = receive;
    this.#plain.onDatagram(receive);
  }

  /** Replaces an earlier one. */
  onFirst(introduce: Introduce): void {
    this.#introduce = introduce;
  }

  /** The association is gone: its number does not come again. */
  forget(association: number): void {
    this.#introduced.delete(association);
  }

  async close(): Promise<void> {
    await Promise.all([this.#plain.close(), this.#secured.close()]);
  }

  #onSecured(bytes: Uint8Array, from: SocketAddress): void {
    const key = from.association?.key;
    if (key === undefined) throw new Error("a datagram came out of DTLS without its association");
    if (!this.#introduced.has(key)) this.#begin(key, from, bytes);
    const waiting = this.#waiting.size === 0 ? undefined : this.#waiting.get(key);
    if (waiting === undefined) {
      this.#receive(bytes, from);
    } else if (waiting.length < heldPerAssociation && this.#held < mostHeld) {
      waiting.push({ bytes: Uint8Array.from(bytes), from });
      this.#held += 1;
    }
  }

  #begin(key: number, peer: SocketAddress, first: Uint8Array): void {
    const done = this.#introduce(peer, first);
    if (done === "not-yet") return;
    this.#introduced.add(key);
    if (done === undefined) return;
    this.#waiting.set(key, []);
    const failed = (): void => {
      // Whoever was asked could not tell: the next datagram asks again.
      this.#introduced.delete(key);
      this.#release(key);
    };
    done.then(() => this.#release(key), failed);
  }

  #release(key: number): void {
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    this.#held -= waiting.length;
    for (const { bytes, from } of waiting) this.#receive(bytes, from);
  }
}
