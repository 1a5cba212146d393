/**
 * A peer that is overloaded says when to come back (RFC 8516: 4.29; RFC 7252 §5.9.3.4: 5.03): until then nobody has the turn to send to it.
 * Waiting requests keep their order and their deadlines.
 */
import { ResponseCode } from "./codes.ts";
import type { IncomingResponse } from "./message.ts";
import type { MessageLayer } from "./message-layer.ts";
import type { SendTurn } from "./send-turn.ts";

const msPerSecond = 1_000;
/** RFC 7252 §5.10.5: what an absent Max-Age means. */
const defaultMaxAgeSeconds = 60;

/** Milliseconds to stay away; undefined for any other response. A 5.03 without Max-Age names no time, so it sets none. */
export function findBackOffMs(response: IncomingResponse, longestMs: number): number | undefined {
  const { code, maxAgeSeconds } = response;
  if (code === ResponseCode.tooManyRequests) return Math.min((maxAgeSeconds ?? defaultMaxAgeSeconds) * msPerSecond, longestMs);
  if (code === ResponseCode.serviceUnavailable && maxAgeSeconds !== undefined) return Math.min(maxAgeSeconds * msPerSecond, longestMs);
  return undefined;
}

/** Takes the turn next, ahead of those who wait, and gives it back when the time is over. */
export function startBackOff(layer: MessageLayer, turn: SendTurn, ms: number): void {
  const until = layer.deadlines.now() + ms;
  const owner = {};
  layer.counters.backOffs++;
  const start = (): void => {
    layer.deadlines.after(until - layer.deadlines.now(), () => turn.leave(owner));
  };
  turn.take(owner, start, true);
}
