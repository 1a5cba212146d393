/** The checks of the plugtest descriptions on what went over the wire, read by a codec that is not the product's. */
import assert from "node:assert/strict";
import { acknowledgement, codeText, confirmable, nonConfirmable, reset, uintValue, type WireMessage } from "../conformance/wire-message.ts";
import type { Captured, UdpRelay } from "./platform/udp-relay.ts";

export const optionNumber = {
  ifMatch: 1,
  etag: 4,
  ifNoneMatch: 5,
  observe: 6,
  locationPath: 8,
  uriPath: 11,
  contentFormat: 12,
  maxAge: 14,
  uriQuery: 15,
  accept: 17,
  locationQuery: 20,
  block2: 23,
  block1: 27,
} as const;

export interface Exchange {
  readonly request: WireMessage;
  readonly response: WireMessage;
}

export const typeText = ({ type }: WireMessage): string => ["CON", "NON", "ACK", "RST"][type] ?? "?";

export const isRequest = ({ code }: WireMessage): boolean => code >= 1 && code <= 31;
export const isResponse = ({ code }: WireMessage): boolean => code >= 64;

export function sameToken(left: WireMessage, right: WireMessage): boolean {
  return Buffer.from(left.token).equals(right.token);
}

export function requestsOn({ captured }: UdpRelay): WireMessage[] {
  return captured.filter(({ fromClient, message }) => fromClient && isRequest(message)).map(({ message }) => message);
}

/** Every request, copies of one counted once, with its response; throws where one is missing or does not belong to it. */
export function exchangesOn(wire: UdpRelay): Exchange[] {
  const requests = new Map<number, WireMessage>();
  // The first copy: on a busy machine another may cross with the response.
  for (const message of requestsOn(wire)) if (!requests.has(message.messageId)) requests.set(message.messageId, message);
  return [...requests.values()].map((request) => ({ request, response: responseOn(wire, request) }));
}

/** The last exchange: the one a case has just asked for. */
export function lastExchange(wire: UdpRelay): Exchange {
  const exchange = exchangesOn(wire).at(-1);
  assert.ok(exchange, "nothing was asked");
  return exchange;
}

/** RFC 7252 §5.2: piggybacked with the same message id, or separate, or NON to NON; the token always the same. */
function responseOn({ captured }: UdpRelay, request: WireMessage): WireMessage {
  const from = captured.findIndex(({ message }) => message === request);
  const response = captured
    .slice(from + 1)
    .find(({ fromClient, message }) => !fromClient && isResponse(message) && sameToken(message, request))?.message;
  assert.ok(response, `no response to ${codeText(request.code)} ${request.messageId}`);
  if (request.type === nonConfirmable) assert.equal(typeText(response), "NON");
  else if (response.type === acknowledgement) assert.equal(response.messageId, request.messageId);
  return response;
}

/** RFC 7252 §5.2.2: an empty ACK, later the response of its own, which the client acknowledges. */
export function checkSeparate({ captured }: UdpRelay, { request, response }: Exchange): void {
  assert.equal(typeText(response), "CON");
  const has = (fits: (captured: Captured) => boolean): boolean => captured.some(fits);
  assert.ok(
    has(
      ({ fromClient, message: { type, code, messageId } }) =>
        !fromClient && type === acknowledgement && code === 0 && messageId === request.messageId,
    ),
    "no empty ACK",
  );
  assert.ok(
    has(
      ({ fromClient, message: { type, code, messageId } }) =>
        fromClient && type === acknowledgement && code === 0 && messageId === response.messageId,
    ),
    "the response was not acknowledged",
  );
}

export interface WireBlock {
  readonly number: number;
  readonly more: boolean;
  readonly exponent: number;
}

/** Block1 or Block2 of a message (RFC 7959 §2.2). */
export function blockOf(message: WireMessage, option: number): WireBlock | undefined {
  const value = uintValue(message, option);
  return value === undefined ? undefined : { number: value >> 4, more: (value & 8) !== 0, exponent: value & 7 };
}

/** Responses with Observe to one token, copies of one counted once. */
export function notificationsOn({ captured }: UdpRelay): WireMessage[] {
  const seen = new Map<string, WireMessage>();
  for (const { fromClient, message } of captured) {
    if (fromClient || !isResponse(message) || message.type === acknowledgement) continue;
    seen.set(`${message.messageId}`, message);
  }
  return [...seen.values()];
}

/** What the client sent back for a confirmable notification: `ACK`, `RST`, or undefined. */
export function reactionTo(wire: UdpRelay, notification: WireMessage): string | undefined {
  const [reaction] = reactionsTo(wire, notification);
  return reaction === undefined ? undefined : typeText(reaction);
}

export function reactionsTo({ captured }: UdpRelay, { messageId }: WireMessage): WireMessage[] {
  return captured
    .map(({ fromClient, message }) => (fromClient && message.code === 0 && message.messageId === messageId ? message : undefined))
    .filter((message) => message !== undefined);
}

/** RFC 7641 §3.4: numbers that only rise; modulo 2^24 is never reached here. */
export function checkObserveOrder(notifications: readonly WireMessage[]): void {
  const numbers = notifications.map((message) => uintValue(message, optionNumber.observe) ?? -1);
  for (const [i, number] of numbers.entries()) assert.ok(i === 0 || number > (numbers[i - 1] ?? 0), `Observe ${numbers.join(", ")}`);
}

/** Which exchange a message belongs to: message ids count on each side by itself (RFC 7252 §4.4). */
export function exchangeKey({ type, messageId }: WireMessage, fromClient: boolean): string {
  const isReaction = type === acknowledgement || type === reset;
  return `${fromClient !== isReaction} ${messageId}`;
}

export function isConfirmable({ type }: WireMessage): boolean {
  return type === confirmable;
}
