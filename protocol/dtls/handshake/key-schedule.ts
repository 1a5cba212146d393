/** The secrets of one handshake, from the premaster to both Finished; overwritten when it is over (RFC 5246 §8.1, RFC 7627 §4). */
import { AlertDescription } from "../constants.ts";
import { keyLogLine } from "../crypto/key-log.ts";
import { extendedMasterSecret, keyBlock, masterSecret, sameVerifyData, verifyData } from "../crypto/prf.ts";
import type { ConnectionKeys } from "../handshake-contract.ts";
import { decodeFinished } from "../wire/handshake-codec.ts";
import { HandshakeAbort } from "./abort.ts";
import { connectionKeys, type Terms } from "./terms.ts";
import type { Transcript } from "./transcript.ts";

export interface Randoms {
  readonly client: Uint8Array;
  readonly server: Uint8Array;
}

export class KeySchedule {
  readonly #terms: Terms;
  readonly #randoms: Randoms;
  readonly #master: Uint8Array;

  constructor(terms: Terms, randoms: Randoms, master: Uint8Array) {
    this.#terms = terms;
    this.#randoms = randoms;
    this.#master = master;
  }

  /** The transcript ends with ClientKeyExchange. The premaster is overwritten. */
  static fromPremaster(terms: Terms, randoms: Randoms, premaster: Uint8Array, transcript: Transcript): KeySchedule {
    const { prfHash } = terms.suite;
    const master = terms.extendedMasterSecret
      ? extendedMasterSecret(prfHash, premaster, transcript.hash(prfHash))
      : masterSecret(prfHash, premaster, randoms.client, randoms.server);
    premaster.fill(0);
    return new KeySchedule(terms, randoms, master);
  }

  /** Resumption takes the master secret as it was; the randoms make the keys new (RFC 5246 §F.1.4). */
  static ofSession(terms: Terms, randoms: Randoms, master: Uint8Array): KeySchedule {
    return new KeySchedule(terms, randoms, new Uint8Array(master));
  }

  keys(): ConnectionKeys {
    return connectionKeys(this.#terms, keyBlock(this.#terms.suite, this.#master, this.#randoms.client, this.#randoms.server));
  }

  /** The body of Finished, over the transcript so far. */
  finished(sender: "client" | "server", transcript: Transcript): Uint8Array {
    const { prfHash } = this.#terms.suite;
    return verifyData(prfHash, this.#master, sender, transcript.hash(prfHash));
  }

  /** The Finished of the other side, before it joins the transcript (RFC 5246 §7.4.9). */
  requireFinished(body: Uint8Array, sender: "client" | "server", transcript: Transcript): void {
    if (sameVerifyData(decodeFinished(body), this.finished(sender, transcript))) return;
    throw new HandshakeAbort("bad-message", AlertDescription.decryptError, "Finished does not fit what was said");
  }

  /** A copy for the session cache. */
  master(): Uint8Array {
    return this.#master.slice();
  }

  logLine(): string {
    return keyLogLine(this.#randoms.client, this.#master);
  }

  wipe(): void {
    this.#master.fill(0);
  }
}
