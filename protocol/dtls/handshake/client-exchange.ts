/** The client's side after the hellos: keys, proofs and Finished of one handshake (RFC 5246 §7.4, RFC 4279, RFC 5489, RFC 8422). */
import type { KeyObject } from "node:crypto";
import type { SecureIdentity } from "../../ports/datagram-socket.ts";
import { AlertDescription, HandshakeType } from "../constants.ts";
import type { ClientCredentials, OwnKey, ResumableSession } from "../credentials-contract.ts";
import { type Ephemeral, isKnownGroup, makeEphemeral } from "../crypto/key-agreement.ts";
import { pskPremaster } from "../crypto/prf.ts";
import { schemesOf, sign, verify } from "../crypto/signature.ts";
import type { HandshakeSettings } from "../handshake-contract.ts";
import type { CertificateRequest, ClientHello, ServerHello } from "../messages.ts";
import {
  decodeCertificate,
  decodeCertificateRequest,
  decodeEmpty,
  decodeServerKeyExchange,
  encodeCertificate,
  encodeCertificateVerify,
  encodeClientKeyExchange,
  signedParameters,
} from "../wire/handshake-codec.ts";
import { HandshakeAbort, illegalParameter } from "./abort.ts";
import type { Agreement } from "./client-offer.ts";
import type { Conversation } from "./conversation.ts";
import { KeySchedule } from "./key-schedule.ts";
import { canPresent, certificateOf, presentedIn, requiredKeyOf } from "./peer-key.ts";
import type { WholeMessage } from "./reassembly.ts";
import { clientFlows, type Flow, type HandshakeStep } from "./transitions.ts";

export interface ClientExchangeParts {
  readonly conversation: Conversation;
  readonly settings: HandshakeSettings;
  readonly credentials: ClientCredentials;
  readonly logKey?: (line: string) => void;
  readonly hello: ClientHello;
  readonly serverHello: ServerHello;
  readonly agreement: Agreement;
  readonly now: () => number;
}

interface ClientProof {
  readonly own: OwnKey;
  readonly signatureScheme: number;
}

export class ClientExchange {
  readonly #parts: ClientExchangeParts;
  #serverKey: KeyObject | undefined;
  #identity: SecureIdentity | undefined;
  #ephemeral: Ephemeral | undefined;
  #agreed: Uint8Array | undefined;
  #request: CertificateRequest | undefined;
  #keys: KeySchedule | undefined;

  constructor(parts: ClientExchangeParts) {
    this.#parts = parts;
  }

  /** The ServerHello is in the transcript. */
  begin(): void {
    const { conversation, agreement } = this.#parts;
    const { resumed, terms } = agreement;
    conversation.follow(this.#flow());
    if (resumed === undefined) return;
    this.#identity = resumed.identity;
    this.#haveKeys(KeySchedule.ofSession(terms, this.#randoms(), resumed.masterSecret));
  }

  receive(step: HandshakeStep, message: WholeMessage): void {
    switch (step) {
      case "certificate":
        this.#takeCertificate(message);
        break;
      case "serverKeyExchange":
        this.#takeServerKeyExchange(message);
        break;
      case "certificateRequest":
        this.#record(message);
        this.#request = decodeCertificateRequest(message.body);
        break;
      case "serverHelloDone":
        this.#record(message);
        decodeEmpty(message.body, "ServerHelloDone");
        this.#answer();
        break;
      case "finished":
        this.#takeFinished(message);
        break;
      default:
        throw new Error(`the table of the client let ${step} through`);
    }
  }

  wipe(): void {
    this.#keys?.wipe();
    this.#agreed?.fill(0);
  }

  #flow(): Flow {
    const { resumed, terms } = this.#parts.agreement;
    if (resumed !== undefined) return clientFlows.resumed;
    switch (terms.suite.keyExchange) {
      case "psk":
        return clientFlows.psk;
      case "ecdhe_psk":
        return clientFlows.ecdhePsk;
      case "ecdhe_ecdsa":
      case "ecdhe_rsa":
        return clientFlows.certificate;
    }
  }

  #takeCertificate(message: WholeMessage): void {
    const { conversation, agreement } = this.#parts;
    this.#record(message);
    const presented = presentedIn(decodeCertificate(message.body, agreement.serverCertificateType));
    if (presented === undefined) throw new HandshakeAbort("no-certificate", AlertDescription.badCertificate, "the server shows no key");
    conversation.ask({ kind: "verify", realm: undefined, presented }, (answer) => {
      if (answer.kind !== "verify") throw new Error(`an answer of kind ${answer.kind} to another question`);
      const { verdict } = answer;
      if (!verdict.ok) throw new HandshakeAbort("certificate-refused", verdict.alert, verdict.reason);
      this.#identity = verdict.identity;
      this.#serverKey = this.#keyOfSuite(requiredKeyOf(presented, verdict));
    });
  }

  /** The suite says what kind of key signs (RFC 8422 §2). */
  #keyOfSuite(key: KeyObject): KeyObject {
    const isRsa = this.#parts.agreement.terms.suite.keyExchange === "ecdhe_rsa";
    if (isRsa === (key.asymmetricKeyType === "rsa")) return key;
    throw new HandshakeAbort("certificate-refused", AlertDescription.unsupportedCertificate, "a key of another kind than the suite's");
  }

  #takeServerKeyExchange(message: WholeMessage): void {
    this.#record(message);
    const { settings, agreement } = this.#parts;
    const { keyExchange } = agreement.terms.suite;
    const exchange = decodeServerKeyExchange(message.body, keyExchange);
    // RFC 4279 §5.2: the hint is for clients that have several identities.
    if (keyExchange === "psk") return;
    const { group, publicKey, signatureScheme, signature } = exchange;
    if (group === undefined || publicKey === undefined) throw new Error(`${keyExchange} without a share`);
    if (!settings.groups.includes(group) || !isKnownGroup(group)) throw illegalParameter(`group ${group} was not offered`);
    if (keyExchange !== "ecdhe_psk") this.#requireSignature({ group, publicKey }, signatureScheme, signature);
    this.#ephemeral = makeEphemeral(group);
    this.#agreed = this.#ephemeral.agree(publicKey);
  }

  /** RFC 8422 §5.4: the share counts only under the signature of the certificate's key. */
  #requireSignature(
    parameters: { group: number; publicKey: Uint8Array },
    scheme: number | undefined,
    signature: Uint8Array | undefined,
  ): void {
    if (this.#serverKey === undefined || scheme === undefined || signature === undefined)
      throw new Error("a share without key or signature");
    if (!this.#parts.settings.signatureSchemes.includes(scheme)) throw illegalParameter(`signature scheme ${scheme} was not offered`);
    const { client, server } = this.#randoms();
    if (verify(scheme, this.#serverKey, signedParameters(client, server, parameters), signature)) return;
    throw new HandshakeAbort(
      "bad-signature",
      AlertDescription.decryptError,
      "the signature of ServerKeyExchange does not fit the certificate",
    );
  }

  /** The whole answer to ServerHelloDone. */
  #answer(): void {
    const { conversation, agreement } = this.#parts;
    const proof = this.#proof();
    if (this.#request !== undefined) {
      const certificate = certificateOf(proof?.own, agreement.clientCertificateType);
      conversation.add(HandshakeType.certificate, encodeCertificate(certificate));
    }
    this.#sayKeyExchange();
    if (proof !== undefined) {
      const signature = sign(proof.signatureScheme, proof.own.privateKey, conversation.transcript.toBytes());
      const { signatureScheme } = proof;
      conversation.add(HandshakeType.certificateVerify, encodeCertificateVerify({ signatureScheme, signature }));
    }
    this.#sayFinished();
    conversation.send("last-flight");
  }

  /** What is asked for and there; undefined sends an empty certificate and no proof (RFC 5246 §7.4.6, §7.4.8). */
  #proof(): ClientProof | undefined {
    const { settings, credentials, agreement } = this.#parts;
    const { own } = credentials;
    const asked = this.#request?.signatureAlgorithms;
    if (own === undefined || asked === undefined || !canPresent(own, agreement.clientCertificateType)) return undefined;
    const usable = schemesOf(own.privateKey).filter((scheme) => settings.signatureSchemes.includes(scheme));
    const signatureScheme = usable.find((scheme) => asked.includes(scheme));
    return signatureScheme === undefined ? undefined : { own, signatureScheme };
  }

  #sayKeyExchange(): void {
    const { conversation, agreement, credentials } = this.#parts;
    const { keyExchange } = agreement.terms.suite;
    const publicKey = this.#ephemeral?.publicKey;
    const psk = keyExchange === "psk" || keyExchange === "ecdhe_psk" ? credentials.psk : undefined;
    const message = { ...(psk === undefined ? {} : { pskIdentity: psk.identity }), ...(publicKey === undefined ? {} : { publicKey }) };
    conversation.add(HandshakeType.clientKeyExchange, encodeClientKeyExchange(message));
    const agreed = this.#agreed;
    if (psk === undefined && agreed === undefined) throw new Error(`${keyExchange} without a secret`);
    if (psk !== undefined) {
      this.#identity = { kind: "psk", identity: psk.identity };
      conversation.explainSilence("psk-mismatch", () => "the server does not answer this identity and key");
    }
    const premaster = psk === undefined ? agreed : pskPremaster(psk.key, agreed);
    if (premaster === undefined) throw new Error(`${keyExchange} without a secret`);
    this.#haveKeys(KeySchedule.fromPremaster(agreement.terms, this.#randoms(), premaster, conversation.transcript));
    agreed?.fill(0);
  }

  #haveKeys(keys: KeySchedule): void {
    this.#keys = keys;
    this.#parts.logKey?.(keys.logLine());
    this.#parts.conversation.emit({ kind: "keys", keys: keys.keys() });
  }

  #takeFinished(message: WholeMessage): void {
    const { conversation, agreement } = this.#parts;
    this.#schedule().requireFinished(message.body, "server", conversation.transcript);
    this.#record(message);
    if (agreement.resumed === undefined) {
      this.#connected(this.#makeSession(), false);
      return;
    }
    this.#sayFinished();
    conversation.send("nothing");
    this.#connected(agreement.resumed, true);
  }

  #sayFinished(): void {
    const { conversation } = this.#parts;
    conversation.addChangeCipherSpec();
    conversation.add(HandshakeType.finished, this.#schedule().finished("client", conversation.transcript));
  }

  #connected(session: ResumableSession | undefined, linger: boolean): void {
    const { conversation, agreement, hello } = this.#parts;
    const facts = {
      role: "client",
      cipherSuite: agreement.terms.suite.id,
      extendedMasterSecret: agreement.terms.extendedMasterSecret,
      resumed: agreement.resumed !== undefined,
      serverName: hello.extensions.serverName,
      peerIdentity: this.#identity,
      session,
    } as const;
    conversation.connected(facts, linger);
  }

  #makeSession(): ResumableSession | undefined {
    const { serverHello, agreement, hello, now } = this.#parts;
    const { terms } = agreement;
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
      madeAt: now(),
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
}
