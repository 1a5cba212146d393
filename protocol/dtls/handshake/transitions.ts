/**
 * Which message may come next: one table per role and kind of handshake (RFC 5246 §7.3, RFC 4279 §2, RFC 8422 §5, RFC 7250 §4).
 * What is not in the row of the state ends the handshake with unexpected_message. There are no flags beside the tables.
 *
 *   server  plain    clientKeyExchange, changeCipherSpec, finished
 *           mutual   certificate, clientKeyExchange, certificateVerify, changeCipherSpec, finished
 *           resumed  changeCipherSpec, finished
 *   client  hello    [helloVerifyRequest,] serverHello, then one of
 *           psk          [serverKeyExchange,] serverHelloDone, changeCipherSpec, finished
 *           ecdhePsk     serverKeyExchange, serverHelloDone, changeCipherSpec, finished
 *           certificate  certificate, serverKeyExchange, [certificateRequest,] serverHelloDone, changeCipherSpec, finished
 *           resumed      changeCipherSpec, finished
 */
import { HandshakeType } from "../constants.ts";

export type HandshakeStep = keyof typeof HandshakeType | "changeCipherSpec";

/** What is awaited. */
export type Awaiting =
  | "server-hello"
  | "certificate"
  | "server-key-exchange"
  | "server-key-exchange-or-done"
  | "certificate-request-or-done"
  | "server-hello-done"
  | "client-key-exchange"
  | "certificate-verify"
  | "change-cipher-spec"
  | "finished"
  | "nothing";

export interface Flow {
  readonly first: Awaiting;
  readonly rows: { readonly [state in Awaiting]?: { readonly [step in HandshakeStep]?: Awaiting } };
}

/** RFC 5246 §7.1: the same end in every flow. */
const ending = {
  "change-cipher-spec": { changeCipherSpec: "finished" },
  finished: { finished: "nothing" },
} as const;

const resumed: Flow = { first: "change-cipher-spec", rows: ending };

export const serverFlows = {
  plain: {
    first: "client-key-exchange",
    rows: { "client-key-exchange": { clientKeyExchange: "change-cipher-spec" }, ...ending },
  },
  // An empty certificate is refused when it comes, so the way on always leads over the proof (RFC 5246 §7.4.8).
  mutual: {
    first: "certificate",
    rows: {
      certificate: { certificate: "client-key-exchange" },
      "client-key-exchange": { clientKeyExchange: "certificate-verify" },
      "certificate-verify": { certificateVerify: "change-cipher-spec" },
      ...ending,
    },
  },
  resumed,
} as const satisfies { readonly [name: string]: Flow };

export const clientFlows = {
  // The row has no end of its own: the ServerHello decides which of the others follows.
  hello: {
    first: "server-hello",
    rows: { "server-hello": { helloVerifyRequest: "server-hello", serverHello: "nothing" } },
  },
  psk: {
    first: "server-key-exchange-or-done",
    rows: {
      "server-key-exchange-or-done": { serverKeyExchange: "server-hello-done", serverHelloDone: "change-cipher-spec" },
      "server-hello-done": { serverHelloDone: "change-cipher-spec" },
      ...ending,
    },
  },
  ecdhePsk: {
    first: "server-key-exchange",
    rows: {
      "server-key-exchange": { serverKeyExchange: "server-hello-done" },
      "server-hello-done": { serverHelloDone: "change-cipher-spec" },
      ...ending,
    },
  },
  certificate: {
    first: "certificate",
    rows: {
      certificate: { certificate: "server-key-exchange" },
      "server-key-exchange": { serverKeyExchange: "certificate-request-or-done" },
      "certificate-request-or-done": { certificateRequest: "server-hello-done", serverHelloDone: "change-cipher-spec" },
      "server-hello-done": { serverHelloDone: "change-cipher-spec" },
      ...ending,
    },
  },
  resumed,
} as const satisfies { readonly [name: string]: Flow };

const stepNames = new Map<number, HandshakeStep>([
  [HandshakeType.helloRequest, "helloRequest"],
  [HandshakeType.clientHello, "clientHello"],
  [HandshakeType.serverHello, "serverHello"],
  [HandshakeType.helloVerifyRequest, "helloVerifyRequest"],
  [HandshakeType.newSessionTicket, "newSessionTicket"],
  [HandshakeType.certificate, "certificate"],
  [HandshakeType.serverKeyExchange, "serverKeyExchange"],
  [HandshakeType.certificateRequest, "certificateRequest"],
  [HandshakeType.serverHelloDone, "serverHelloDone"],
  [HandshakeType.certificateVerify, "certificateVerify"],
  [HandshakeType.clientKeyExchange, "clientKeyExchange"],
  [HandshakeType.finished, "finished"],
]);

/** Undefined for a type nobody knows. */
export function stepOf(handshakeType: number): HandshakeStep | undefined {
  return stepNames.get(handshakeType);
}

/** Where the step leads, or undefined when the flow does not know it in this state. */
export function next(flow: Flow, awaiting: Awaiting, step: HandshakeStep | undefined): Awaiting | undefined {
  return step === undefined ? undefined : flow.rows[awaiting]?.[step];
}
