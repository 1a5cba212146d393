/**
 * Whether a peer receives at the address it sends from (RFC 9175 §2.3, §2.4): a forged address must not make this endpoint work for it.
 *
 *   unknown --request to be challenged--> asked (4.01 with Echo) --the same value comes back--> given
 *
 * The state lasts as long as the peer is remembered; a stranger whose record made room is asked again.
 */
import type { Random } from "../ports/random.ts";
import { type Method, ResponseCode } from "./codes.ts";
import type { Peer } from "./message.ts";
import { OptionNumber } from "./options.ts";
import type { ResponsePart } from "./response-writer.ts";
import type { ServedExchange } from "./served-exchange.ts";

export type Challenge = (request: { readonly peer: Peer; readonly method: Method; readonly path: readonly string[] }) => boolean;

/** RFC 9175 §5: as hard to guess as a token. */
const echoBytes = 8;

/** The answer that asks for the proof; undefined when none is needed, or when the request brings it. */
export function findChallenge(exchange: ServedExchange, challenge: Challenge | undefined, random: Random): ResponsePart | undefined {
  const { fields, method, record } = exchange;
  if (challenge === undefined || record.proof === "given") return undefined;
  if (record.proof !== undefined && isEqual(fields.echo, record.proof)) {
    record.proof = "given";
    return undefined;
  }
  if (!challenge({ peer: record.peer, method, path: fields.path })) return undefined;
  record.proof ??= random.bytes(echoBytes);
  return { code: ResponseCode.unauthorized, options: [{ number: OptionNumber.echo, value: record.proof }] };
}

function isEqual(left: Uint8Array | undefined, right: Uint8Array): boolean {
  return left?.length === right.length && right.every((byte, i) => byte === left[i]);
}
