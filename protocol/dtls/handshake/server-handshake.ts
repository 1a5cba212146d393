/**
 * The server's side of one handshake, from a ClientHello whose cookie was right (RFC 5246 §7.3, RFC 6347 §4.2).
 *
 *   full     ServerHello, [Certificate, ServerKeyExchange, CertificateRequest,] ServerHelloDone
 *            <- [Certificate,] ClientKeyExchange, [CertificateVerify,] ChangeCipherSpec, Finished
 *            ChangeCipherSpec, Finished; lingers
 *   resumed  ServerHello, ChangeCipherSpec, Finished
 *            <- ChangeCipherSpec, Finished
 *
 * The order is in `transitions.ts`, the choices in `server-negotiation.ts`, what comes after the hellos in `server-exchange.ts`.
 */
import type { SecureIdentity } from "../../ports/datagram-socket.ts";
import type { Random } from "../../ports/random.ts";
import { AlertDescription, HandshakeType, ProtocolVersion } from "../constants.ts";
import type { ResumableSession, ServerCredentials, ServerRealm, SessionCache } from "../credentials-contract.ts";
import { type Suite, suiteOf } from "../crypto/suites.ts";
import type { HandshakeEffect, HandshakeInput, HandshakeMachine, HandshakeSettings } from "../handshake-contract.ts";
import type { ClientHello, ServerHello } from "../messages.ts";
import { decodeClientHello, encodeServerHello } from "../wire/handshake-codec.ts";
import { type HandshakeFragment, readHandshakeFragments } from "../wire/handshake-header.ts";
import { HandshakeAbort, noCommonParameters } from "./abort.ts";
import { Conversation } from "./conversation.ts";
import type { WholeMessage } from "./reassembly.ts";
import { ServerExchange } from "./server-exchange.ts";
import { choose, offersRenegotiationInfo } from "./server-negotiation.ts";
import { type SaidExtensions, sayTerms, serverTerms, type Terms } from "./terms.ts";
import type { HandshakeStep } from "./transitions.ts";

export interface ServerHandshakeParts {
  readonly settings: HandshakeSettings;
  readonly credentials: ServerCredentials;
  readonly sessions?: SessionCache | undefined;
  readonly random: Random;
  /** The ClientHello with its cookie: header of 12 bytes and body, in one fragment. */
  readonly verifiedHello: Uint8Array;
  /** The id the client is to write to us, when ids are spoken (`settings.connectionIdBytes`); may be empty. */
  readonly ownConnectionId?: Uint8Array;
  /** One line of a key log; it gives the connection away. */
  readonly logKey?: ((line: string) => void) | undefined;
}

/** RFC 5246 §7.4.1.3: made new for each session that can be resumed. */
const sessionIdBytes = 32;
const randomBytes = 32;
const nullCompression = 0;
const empty = new Uint8Array(0);

export class ServerHandshake implements HandshakeMachine {
  readonly #parts: ServerHandshakeParts;
  readonly #helloMessage: HandshakeFragment;
  readonly #conversation: Conversation;
  #exchange: ServerExchange | undefined;

  constructor(parts: ServerHandshakeParts) {
    this.#parts = parts;
    this.#helloMessage = onlyFragment(parts.verifiedHello);
    const { sequence } = this.#helloMessage;
    const role = {
      name: "server",
      receive: (step: HandshakeStep, message: WholeMessage) => this.#get().receive(step, message),
      wipe: () => {
        this.#exchange?.wipe();
        this.#exchange = undefined;
      },
    } as const;
    // RFC 6347 §4.2.2: HelloVerifyRequest had the number of the first hello, so ServerHello has that of the second.
    const { settings, random } = parts;
    this.#conversation = new Conversation({ settings, random, role }, { receive: sequence + 1, send: sequence });
  }

  get heldBytes(): number {
    return this.#conversation.heldBytes;
  }

  start(nowMs: number): readonly HandshakeEffect[] {
    return this.#conversation.start(nowMs, () => this.#answerHello(nowMs));
  }

  step(input: HandshakeInput, nowMs: number): readonly HandshakeEffect[] {
    return this.#conversation.step(input, nowMs);
  }

  close(): void {
    this.#conversation.close();
  }

  #answerHello(nowMs: number): void {
    this.#conversation.transcript.append(this.#parts.verifiedHello);
    const hello = decodeClientHello(this.#helloMessage.bytes);
    this.#requireAcceptable(hello);
    const { serverName } = hello.extensions;
    const realm = this.#parts.credentials.realmOf(serverName);
    if (realm === undefined) throw new HandshakeAbort("unknown-name", AlertDescription.unrecognizedName, "no realm of that server name");
    const session = this.#findSession(hello);
    const identity = session?.identity;
    // Who was anonymous proves itself when the realm asks for it by now.
    const isEnough = identity !== undefined || realm.clientAuthentication === "none";
    if (session === undefined || !isEnough) this.#answerInFull(hello, realm, nowMs);
    else if (identity === undefined || realm.isStillWelcome === undefined) this.#resume(hello, realm, session, nowMs);
    else this.#askAndResume(hello, realm, { session, identity }, nowMs);
  }

  #askAndResume(
    hello: ClientHello,
    realm: ServerRealm,
    known: { session: ResumableSession; identity: SecureIdentity },
    nowMs: number,
  ): void {
    const { session, identity } = known;
    this.#conversation.ask({ kind: "still-welcome", realm, identity }, (answer) => {
      if (answer.kind === "still-welcome" && answer.welcome) this.#resume(hello, realm, session, nowMs);
      else this.#answerInFull(hello, realm, nowMs);
    });
  }

  #requireAcceptable({ version, extensions }: ClientHello): void {
    // Version numbers of DTLS fall; what a later client writes is 1.2 at most (RFC 6347 §4.2.1, RFC 9147 §5.3).
    if (version > ProtocolVersion.dtls12 || version >> 8 !== ProtocolVersion.dtls12 >> 8) {
      throw new HandshakeAbort("no-common-parameters", AlertDescription.protocolVersion, `version ${version.toString(16)}`);
    }
    // RFC 5746 §3.6: a first handshake has nothing to bind to.
    if ((extensions.renegotiationInfo?.length ?? 0) > 0) throw noCommonParameters("renegotiation_info in a first handshake");
    if (this.#parts.settings.requireExtendedMasterSecret && extensions.extendedMasterSecret !== true) {
      throw noCommonParameters("no extended_master_secret (RFC 7627 §5.3)");
    }
  }

  /** A session whose terms the hello repeats; any other goes on as if it were not known (RFC 5246 §7.4.1.2). */
  #findSession(hello: ClientHello): ResumableSession | undefined {
    if (hello.sessionId.length === 0) return undefined;
    const session = this.#parts.sessions?.find(hello.sessionId);
    if (session === undefined) return undefined;
    const { cipherSuite, extendedMasterSecret, serverName, maxFragmentLength } = session;
    const suite = this.#parts.settings.cipherSuites.includes(cipherSuite) ? suiteOf(cipherSuite) : undefined;
    if (suite === undefined || !hello.cipherSuites.includes(cipherSuite)) return undefined;
    const terms = this.#terms(hello, suite);
    // RFC 7627 §5.3: what was bound to its handshake must not be resumed by one that would not be.
    if (extendedMasterSecret && !terms.extendedMasterSecret) {
      throw noCommonParameters("extended_master_secret left out of a resumption");
    }
    const isSame =
      extendedMasterSecret === terms.extendedMasterSecret &&
      session.encryptThenMac === terms.encryptThenMac &&
      serverName === hello.extensions.serverName &&
      maxFragmentLength === terms.maxFragmentLength;
    return isSame ? session : undefined;
  }

  #resume(hello: ClientHello, realm: ServerRealm, session: ResumableSession, nowMs: number): void {
    const suite = suiteOf(session.cipherSuite);
    if (suite === undefined) throw new Error(`a session of suite ${session.cipherSuite}, which is not spoken here`);
    const terms = this.#terms(hello, suite);
    const serverHello = this.#sayHello(hello, terms, session.sessionId, {});
    this.#exchange = new ServerExchange({ conversation: this.#conversation, given: this.#parts, hello, serverHello, realm, terms, nowMs });
    this.#exchange.resume(session);
  }

  #answerInFull(hello: ClientHello, realm: ServerRealm, nowMs: number): void {
    const { settings, sessions, random } = this.#parts;
    const choice = choose(hello, realm, settings);
    const terms = this.#terms(hello, choice.suite);
    const { proof } = choice;
    const offered = hello.extensions;
    const sessionId = sessions === undefined ? empty : random.bytes(sessionIdBytes);
    const said: SaidExtensions = {};
    // RFC 6066 §3: an empty one says that the name was used; not when resuming.
    if (offered.serverName !== undefined) said.serverName = "";
    if (choice.group !== undefined && offered.ecPointFormats !== undefined) said.ecPointFormats = [0];
    if (proof !== undefined && offered.serverCertificateTypes !== undefined) said.serverCertificateTypes = [proof.certificateType];
    if (proof?.clientCertificateType !== undefined && offered.clientCertificateTypes !== undefined) {
      said.clientCertificateTypes = [proof.clientCertificateType];
    }
    const serverHello = this.#sayHello(hello, terms, sessionId, said);
    this.#exchange = new ServerExchange({ conversation: this.#conversation, given: this.#parts, hello, serverHello, realm, terms, nowMs });
    this.#exchange.begin(choice);
  }

  #terms(hello: ClientHello, suite: Suite): Terms {
    const { settings, ownConnectionId } = this.#parts;
    return serverTerms(hello, settings, settings.connectionIdBytes === undefined ? undefined : ownConnectionId, suite);
  }

  /** `said` is added to. */
  #sayHello(hello: ClientHello, terms: Terms, sessionId: Uint8Array, said: SaidExtensions): ServerHello {
    sayTerms(hello, terms, said);
    if (offersRenegotiationInfo(hello)) said.renegotiationInfo = empty;
    const serverHello: ServerHello = {
      version: ProtocolVersion.dtls12,
      random: this.#parts.random.bytes(randomBytes),
      sessionId,
      cipherSuite: terms.suite.id,
      compressionMethod: nullCompression,
      extensions: said,
    };
    this.#conversation.limitRecords(terms.largestSendBytes);
    this.#conversation.add(HandshakeType.serverHello, encodeServerHello(serverHello));
    return serverHello;
  }

  #get(): ServerExchange {
    if (this.#exchange === undefined) throw new Error("a message was taken before the hello was answered");
    return this.#exchange;
  }
}

function onlyFragment(message: Uint8Array): HandshakeFragment {
  const [fragment] = readHandshakeFragments(message);
  if (fragment === undefined || fragment.bytes.length !== fragment.length) throw new Error("the verified hello is not whole");
  return fragment;
}
