/**
 * The handshake messages both sides have seen, as Finished, CertificateVerify and the session hash cover them (RFC 5246 §7.4.9,
 * RFC 6347 §4.2.6: every message as if it had been sent in one fragment, with its message_seq; no HelloVerifyRequest and no first hello).
 */
import { digests } from "../crypto/back-end.ts";
import { handshakeHeaderBytes, writeHandshakeHeader } from "../wire/handshake-header.ts";

/** Of a handshake by PSK; those with certificates grow. */
const usualBytes = 384;
const nothing = Buffer.alloc(0);

export class Transcript {
  #messages = nothing;
  #end = 0;
  #hash: Uint8Array = nothing;
  #hashed: { readonly end: number; readonly algorithm: string } | undefined;

  get heldBytes(): number {
    return this.#end;
  }

  /** `message` with its whole header. */
  append(message: Uint8Array): void {
    const at = this.#claim(message.length);
    this.#messages.set(message, at);
  }

  appendMessage(type: number, sequence: number, body: Uint8Array): void {
    const { length } = body;
    const at = this.#claim(handshakeHeaderBytes + length);
    writeHandshakeHeader(this.#messages, at, { type, length, sequence }, 0, length);
    this.#messages.set(body, at + handshakeHeaderBytes);
  }

  /** A hello answered by HelloVerifyRequest counts for nothing. */
  clear(): void {
    this.#messages = nothing;
    this.#end = 0;
    this.#hashed = undefined;
  }

  hash(algorithm: "sha256" | "sha384"): Uint8Array {
    const end = this.#end;
    // Without a CertificateVerify between them the session hash is the one of the client's Finished, too.
    if (this.#hashed?.end === end && this.#hashed.algorithm === algorithm) return this.#hash;
    // One call over all of it costs a third of a hash object that is fed piece by piece.
    this.#hash = digests().hash(algorithm, this.toBytes());
    this.#hashed = { end, algorithm };
    return this.#hash;
  }

  /** All of it, for signatures that hash by themselves (RFC 5246 §7.4.8). A view until the next message. */
  toBytes(): Uint8Array {
    return this.#messages.subarray(0, this.#end);
  }

  #claim(bytes: number): number {
    const at = this.#end;
    this.#end = at + bytes;
    if (this.#end <= this.#messages.length) return at;
    const grown = Buffer.allocUnsafe(Math.max(usualBytes, this.#messages.length * 2, this.#end));
    grown.set(this.#messages.subarray(0, at));
    this.#messages = grown;
    return at;
  }
}
