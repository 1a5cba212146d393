/**
 * The handshake messages both sides have seen, as Finished, CertificateVerify and the session hash cover them (RFC 5246 §7.4.9,
 * RFC 6347 §4.2.6: every message as if it had been sent in one fragment, with its message_seq; no HelloVerifyRequest and no first hello).
 */
import { hash as digest } from "node:crypto";

export class Transcript {
  #messages: Uint8Array[] = [];
  #bytes = 0;

  get heldBytes(): number {
    return this.#bytes;
  }

  /** `message` with its whole header; kept, not copied. */
  append(message: Uint8Array): void {
    this.#messages.push(message);
    this.#bytes += message.length;
  }

  /** A hello answered by HelloVerifyRequest counts for nothing. */
  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }

  hash(algorithm: "sha256" | "sha384"): Uint8Array {
    // One call over a copy costs a third of a hash object that is fed piece by piece.
    return digest(algorithm, this.toBytes(), "buffer");
  }

  /** All of it, for signatures that hash by themselves (RFC 5246 §7.4.8). */
  toBytes(): Uint8Array {
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const message of this.#messages) {
      whole.set(message, at);
      at += message.length;
    }
    return whole;
  }
}
