/** The server's side after the hellos: keys, proofs and Finished of one handshake (RFC 5246 §7.4, RFC 4279, RFC 5489, RFC 8422). */

import type { KeyObject } from "node:crypto";
import type { SecureIdentity } from "../../ports/datagram-socket.ts";
import type { Random } from "../../ports/random.ts";
import { AlertDescription, CertificateType, HandshakeType } from "../constants.ts";
import type { ResumableSession, ServerRealm, SessionCache } from "../credentials-contract.ts";
import { type Ephemeral, makeEphemeral } from "../crypto/key-agreement.ts";
import { pskPremaster } from "../crypto/prf.ts";
import { sign, verify } from "../crypto/signature.ts";
import type { Answer, HandshakeSettings } from "../handshake-contract.ts";
import type { ClientHello, ServerHello } from "../messages.ts";
import {
  decodeCertificate,
  decodeCertificateVerify,
  decodeClientKeyExchange,
  encodeCertificate,
  encodeCertificateRequest,
  encodeServerKeyExchange,
  signedParameters,
} from "../wire/handshake-codec.ts";
import { HandshakeAbort, illegalParameter } from "./abort.ts";
import type { Conversation } from "./conversation.ts";
import { KeySchedule } from "./key-schedule.ts";
import { largestPskIdentityBytes } from "./limits.ts";
import { certificateOf, presentedIn, requiredKeyOf } from "./peer-key.ts";
import type { WholeMessage } from "./reassembly.ts";
import { certificateRequest, type ServerChoice, type ServerProof } from "./server-negotiation.ts";
import type { Terms } from "./terms.ts";
import { type HandshakeStep, serverFlows } from "./transitions.ts";

export interface ServerExchangeParts {
  readonly conversation: Conversation;
  /** What the handshake was made with: not spread among the others, which costs the engine more than to look there. */
  readonly given: {
    readonly settings: HandshakeSettings;
    readonly random: Random;
    readonly sessions?: SessionCache | undefined;
    readonly logKey?: ((line: string) => void) | undefined;
  };
  readonly hello: ClientHello;
  readonly serverHello: ServerHello;
  readonly realm: ServerRealm;
  readonly terms: Terms;
  readonly nowMs: number;
}

const empty = new Uint8Array(0);
/** Of the key an unknown identity gets: as long as most real ones are. */
const hiddenKeyBytes = 16;

export class ServerExchange {
  readonly #parts: ServerExchangeParts;
  #ephemeral: Ephemeral | undefined;
  #proof: ServerProof | undefined;
  #clientKey: KeyObject | undefined;
  #identity: SecureIdentity | undefined;
  #keys: KeySchedule | undefined;
  #resumed: ResumableSession | undefined;

  constructor(parts: ServerExchangeParts) {
    this.#parts = parts;
  }

  /** ServerHello is in the flight already. */
  begin(choice: ServerChoice): void {
    const { conversation, realm, given } = this.#parts;
    const { proof, group } = choice;
    this.#proof = proof;
    if (group !== undefined) this.#ephemeral = makeEphemeral(group);
    if (proof !== undefined) {
      conversation.add(HandshakeType.certificate, encodeCertificate(certificateOf(proof.own, proof.certificateType)));
    }
    const keyExchange = this.#serverKeyExchange();
    if (keyExchange !== undefined) conversation.add(HandshakeType.serverKeyExchange, keyExchange);
    const clientType = proof?.clientCertificateType;
    if (clientType !== undefined) {
      conversation.add(HandshakeType.certificateRequest, encodeCertificateRequest(certificateRequest(clientType, realm, given.settings)));
    }
    conversation.add(HandshakeType.serverHelloDone, empty);
    conversation.follow(clientType === undefined ? serverFlows.plain : serverFlows.mutual);
    conversation.send("flight");
  }

  /** RFC 5246 §7.3, the short form: the server proves first. */
  resume(session: ResumableSession): void {
    const { conversation, terms } = this.#parts;
    this.#resumed = session;
    this.#identity = session.identity;
    this.#haveKeys(KeySchedule.ofSession(terms, this.#randoms(), session.masterSecret));
    this.#sayFinished();
    conversation.follow(serverFlows.resumed);
    conversation.send("last-flight");
  }

  receive(step: HandshakeStep, message: WholeMessage): void {
    switch (step) {
      case "certificate":
        this.#takeCertificate(message);
        return;
      case "clientKeyExchange":
        this.#takeClientKeyExchange(message);
        return;
      case "certificateVerify":
        this.#takeCertificateVerify(message);
        return;
      case "finished":
        this.#takeFinished(message);
        return;
      default:
        throw new Error(`the table of the server let ${step} through`);
    }
  }

  wipe(): void {
    this.#keys?.wipe();
  }

  /** Absent for PSK without a hint (RFC 4279 §2). */
  #serverKeyExchange(): Uint8Array | undefined {
    const { realm, terms } = this.#parts;
    const { keyExchange } = terms.suite;
    const hint = realm.pskIdentityHint;
    if (keyExchange === "psk") return hint === undefined ? undefined : encodeServerKeyExchange({ pskIdentityHint: hint });
    const { group, publicKey } = this.#ephemeralKey();
    if (keyExchange === "ecdhe_psk") return encodeServerKeyExchange({ pskIdentityHint: hint ?? empty, group, publicKey });
    const { signatureScheme, own } = this.#requiredProof();
    const { client, server } = this.#randoms();
    const signature = sign(signatureScheme, own.privateKey, signedParameters(client, server, { group, publicKey }));
    return encodeServerKeyExchange({ group, publicKey, signatureScheme, signature });
  }

  #takeCertificate(message: WholeMessage): void {
    const { conversation, realm } = this.#parts;
    this.#record(message);
    const type = this.#requiredProof().clientCertificateType ?? CertificateType.x509;
    const presented = presentedIn(decodeCertificate(message.body, type));
    // RFC 5246 §7.4.6: a client without one may be refused, and here it is.
    if (presented === undefined)
      throw new HandshakeAbort("no-certificate", AlertDescription.handshakeFailure, "the client has no certificate");
    conversation.ask({ kind: "verify", realm, presented }, (answer) => {
      if (answer.kind !== "verify") throw wrongAnswer(answer);
      const { verdict } = answer;
      if (!verdict.ok) throw new HandshakeAbort("certificate-refused", verdict.alert, verdict.reason);
      this.#identity = verdict.identity;
      this.#clientKey = requiredKeyOf(presented, verdict);
    });
  }

  #takeClientKeyExchange(message: WholeMessage): void {
    this.#record(message);
    const { keyExchange } = this.#parts.terms.suite;
    const { pskIdentity, publicKey } = decodeClientKeyExchange(message.body, keyExchange);
    // Throws for a share that is none before anybody is asked for a key.
    const agreed = publicKey === undefined ? undefined : this.#ephemeralKey().agree(publicKey);
    if (pskIdentity !== undefined) {
      this.#askForKey(pskIdentity, agreed);
      return;
    }
    if (agreed === undefined) throw new Error(`${keyExchange} without identity and share`);
    this.#derive(agreed);
  }

  #askForKey(identity: Uint8Array, agreed: Uint8Array | undefined): void {
    const { conversation, realm } = this.#parts;
    this.#identity = { kind: "psk", identity };
    // For the log of this side alone, and put together when all is over: the client sees no difference.
    let isKnown = false;
    conversation.explainSilence("psk-mismatch", () => silenceOf(identity, isKnown));
    if (identity.length === 0 || identity.length > largestPskIdentityBytes) {
      this.#deriveFromPsk(undefined, agreed);
      return;
    }
    conversation.ask({ kind: "psk", realm, identity }, (answer) => {
      if (answer.kind !== "psk") throw wrongAnswer(answer);
      isKnown = answer.key !== undefined;
      this.#deriveFromPsk(answer.key, agreed);
    });
  }

  /**
   * An identity nobody knows goes on with a key nobody has, through the same steps: what the peer hears, and when, is what it hears
   * for a wrong key (RFC 4279 §2).
   */
  #deriveFromPsk(key: Uint8Array | undefined, agreed: Uint8Array | undefined): void {
    // Made in either case, so that it takes its time in either case.
    const hidden = this.#parts.given.random.bytes(hiddenKeyBytes);
    const premaster = pskPremaster(key === undefined || key.length === 0 ? hidden : key, agreed);
    agreed?.fill(0);
    this.#derive(premaster);
  }

  #derive(premaster: Uint8Array): void {
    const { terms, conversation } = this.#parts;
    this.#haveKeys(KeySchedule.fromPremaster(terms, this.#randoms(), premaster, conversation.transcript));
  }

  #haveKeys(keys: KeySchedule): void {
    this.#keys = keys;
    this.#parts.given.logKey?.(keys.logLine());
    this.#parts.conversation.emit({ kind: "keys", keys: keys.keys() });
  }

  /** RFC 5246 §7.4.8: the proof of possession, over all that was said before it. */
  #takeCertificateVerify(message: WholeMessage): void {
    const { conversation, given } = this.#parts;
    const { signatureScheme, signature } = decodeCertificateVerify(message.body);
    if (!given.settings.signatureSchemes.includes(signatureScheme))
      throw illegalParameter(`signature scheme ${signatureScheme} was not offered`);
    if (this.#clientKey === undefined) throw new Error("a proof without the key it is for");
    if (!verify(signatureScheme, this.#clientKey, conversation.transcript.toBytes(), signature)) {
      throw new HandshakeAbort("bad-signature", AlertDescription.decryptError, "CertificateVerify does not fit the certificate");
    }
    this.#record(message);
  }

  #takeFinished(message: WholeMessage): void {
    const { conversation } = this.#parts;
    this.#schedule().requireFinished(message.body, "client", conversation.transcript);
    this.#record(message);
    if (this.#resumed !== undefined) {
      this.#connected(this.#resumed, false);
      return;
    }
    this.#sayFinished();
    conversation.send("nothing");
    const session = this.#makeSession();
    if (session !== undefined) this.#parts.given.sessions?.keep(session);
    this.#connected(session, true);
  }

  #sayFinished(): void {
    const { conversation } = this.#parts;
    conversation.addChangeCipherSpec();
    conversation.add(HandshakeType.finished, this.#schedule().finished("server", conversation.transcript));
  }

  #connected(session: ResumableSession | undefined, linger: boolean): void {
    const { conversation, terms, hello } = this.#parts;
    const facts = {
      role: "server",
      cipherSuite: terms.suite.id,
      extendedMasterSecret: terms.extendedMasterSecret,
      resumed: this.#resumed !== undefined,
      serverName: hello.extensions.serverName,
      peerIdentity: this.#identity,
      session,
    } as const;
    conversation.connected(facts, linger);
  }

  #makeSession(): ResumableSession | undefined {
    const { serverHello, terms, hello, nowMs } = this.#parts;
    if (serverHello.sessionId.length === 0) return undefined;
    return {
      sessionId: serverHello.sessionId,
      masterSecret: this.#schedule().master(),
      cipherSuite: terms.suite.id,
      extendedMasterSecret: terms.extendedMasterSecret,
      encryptThenMac: terms.encryptThenMac,
      maxFragmentLength: terms.maxFragmentLength,
      serverName: hello.extensions.serverName,
      identity: this.#identity,
      madeAt: nowMs,
    };
  }

  #record({ type, sequence, body }: WholeMessage): void {
    this.#parts.conversation.transcript.appendMessage(type, sequence, body);
  }

  #randoms(): { client: Uint8Array; server: Uint8Array } {
    return { client: this.#parts.hello.random, server: this.#parts.serverHello.random };
  }

  #schedule(): KeySchedule {
    if (this.#keys === undefined) throw new Error("Finished before there were keys");
    return this.#keys;
  }

  #ephemeralKey(): Ephemeral {
    if (this.#ephemeral === undefined) throw new Error("a key agreement without a key of ours");
    return this.#ephemeral;
  }

  #requiredProof(): ServerProof {
    if (this.#proof === undefined) throw new Error("a certificate suite without a certificate");
    return this.#proof;
  }
}

function wrongAnswer({ kind }: Answer): Error {
  return new Error(`an answer of kind ${kind} to another question`);
}

/** What the operator of a device with wrong settings looks for. Quoted, as anybody can say anything. */
function silenceOf(identity: Uint8Array, isKnown: boolean): string {
  const text = new TextDecoder().decode(identity.subarray(0, largestPskIdentityBytes));
  const name = `PSK identity ${JSON.stringify(text)}`;
  return isKnown ? `nothing could be opened: the client has another key for ${name}` : `nobody has the ${name}`;
}
