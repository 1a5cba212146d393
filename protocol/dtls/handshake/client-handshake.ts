/**
 * The client's side of one handshake (RFC 5246 §7.3, RFC 6347 §4.2).
 *
 *   full     ClientHello; <- HelloVerifyRequest; ClientHello with the cookie
 *            <- ServerHello, [Certificate,] [ServerKeyExchange,] [CertificateRequest,] ServerHelloDone
 *            [Certificate,] ClientKeyExchange, [CertificateVerify,] ChangeCipherSpec, Finished
 *            <- ChangeCipherSpec, Finished
 *   resumed  <- ServerHello, ChangeCipherSpec, Finished
 *            ChangeCipherSpec, Finished; lingers
 *
 * The order is in `transitions.ts`, what is offered in `client-offer.ts`, what comes after the hellos in `client-exchange.ts`.
 */
import type { Random } from "../../ports/random.ts";
import { AlertDescription, HandshakeType } from "../constants.ts";
import type { ClientCredentials, ResumableSession } from "../credentials-contract.ts";
import type { HandshakeEffect, HandshakeInput, HandshakeMachine, HandshakeSettings } from "../handshake-contract.ts";
import { decodeHelloVerifyRequest, decodeServerHello, encodeClientHello } from "../wire/handshake-codec.ts";
import { HandshakeAbort } from "./abort.ts";
import { ClientExchange } from "./client-exchange.ts";
import { agree, makeOffer, type Offer } from "./client-offer.ts";
import { Conversation } from "./conversation.ts";
import { mostHelloVerifyRequests } from "./limits.ts";
import type { WholeMessage } from "./reassembly.ts";
import { clientFlows, type HandshakeStep } from "./transitions.ts";

export interface ClientHandshakeParts {
  readonly settings: HandshakeSettings;
  readonly credentials: ClientCredentials;
  readonly random: Random;
  /** One to resume, of the same server and credentials. */
  readonly session?: ResumableSession;
  /** The id the server is to write to us, when ids are spoken (`settings.connectionIdBytes`); may be empty. */
  readonly ownConnectionId?: Uint8Array;
  /** One line of a key log; it gives the connection away. */
  readonly logKey?: (line: string) => void;
}

const randomBytes = 32;

export class ClientHandshake implements HandshakeMachine {
  readonly #parts: ClientHandshakeParts;
  readonly #conversation: Conversation;
  #offer: Offer;
  #helloVerifyRequests = 0;
  #exchange: ClientExchange | undefined;
  #nowMs = 0;

  /** Throws `Error` when the credentials fit no suite of the settings. */
  constructor(parts: ClientHandshakeParts) {
    const { settings, credentials, session, random } = parts;
    this.#parts = parts;
    const ownConnectionId = settings.connectionIdBytes === undefined ? undefined : parts.ownConnectionId;
    this.#offer = makeOffer({ settings, credentials, ownConnectionId, session, random: random.bytes(randomBytes) });
    const role = {
      name: "client",
      receive: (step: HandshakeStep, message: WholeMessage) => this.#receive(step, message),
      wipe: () => {
        this.#exchange?.wipe();
        this.#exchange = undefined;
      },
    } as const;
    this.#conversation = new Conversation({ settings: parts.settings, random: parts.random, role }, { receive: 0, send: 0 });
  }

  get heldBytes(): number {
    return this.#conversation.heldBytes;
  }

  start(nowMs: number): readonly HandshakeEffect[] {
    this.#nowMs = nowMs;
    return this.#conversation.start(nowMs, () => {
      this.#conversation.follow(clientFlows.hello);
      this.#sayHello();
    });
  }

  step(input: HandshakeInput, nowMs: number): readonly HandshakeEffect[] {
    this.#nowMs = nowMs;
    return this.#conversation.step(input, nowMs);
  }

  close(): void {
    this.#conversation.close();
  }

  #sayHello(): void {
    // RFC 6347 §4.2.1: the hello without the cookie and the request for one are no part of the transcript.
    this.#conversation.transcript.clear();
    this.#conversation.add(HandshakeType.clientHello, encodeClientHello(this.#offer.hello));
    this.#conversation.send("flight");
  }

  #receive(step: HandshakeStep, message: WholeMessage): void {
    if (this.#exchange !== undefined) {
      this.#exchange.receive(step, message);
      return;
    }
    if (step === "helloVerifyRequest") this.#takeHelloVerifyRequest(message);
    else this.#takeServerHello(message);
  }

  /** RFC 6347 §4.2.1: the same hello again with the cookie; its version says nothing about the one to come. */
  #takeHelloVerifyRequest(message: WholeMessage): void {
    this.#helloVerifyRequests += 1;
    if (this.#helloVerifyRequests > mostHelloVerifyRequests) {
      throw new HandshakeAbort("unexpected-message", AlertDescription.unexpectedMessage, "the server asks for cookie after cookie");
    }
    const { cookie } = decodeHelloVerifyRequest(message.body);
    this.#offer = { ...this.#offer, hello: { ...this.#offer.hello, cookie } };
    this.#sayHello();
  }

  #takeServerHello(message: WholeMessage): void {
    const conversation = this.#conversation;
    conversation.transcript.appendMessage(message.type, message.sequence, message.body);
    const serverHello = decodeServerHello(message.body);
    const agreement = agree(this.#offer, serverHello, this.#parts.settings);
    conversation.limitRecords(agreement.terms.largestSendBytes);
    const { hello } = this.#offer;
    this.#exchange = new ClientExchange({ conversation, ...this.#parts, hello, serverHello, agreement, now: () => this.#nowMs });
    this.#exchange.begin();
  }
}
