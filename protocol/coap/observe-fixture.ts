/** A relation under test, and what its listener heard. */
import assert from "node:assert/strict";
import { messageIdOf, type ScriptedPeer, tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { Method } from "./codes.ts";
import type { CoapEndpoint } from "./endpoint-contract.ts";
import type { HeldObservation, ObservationListener } from "./observation.ts";

export const get = { method: Method.get, path: ["a"] } as const;
export const hexOf = (bytes: number): string => "00".repeat(bytes);

interface Log {
  readonly seen: string[];
  readonly listener: ObservationListener;
}

export function aLog(onNotification: () => void | Promise<void> = () => {}): Log {
  const seen: string[] = [];
  return {
    seen,
    listener: {
      onNotification: (response) => {
        seen.push(Buffer.from(response.payload).toString());
        return onNotification();
      },
      onEnd: (reason, last) => seen.push(last === undefined ? reason : `${reason} ${(last.code >> 5).toString()}`),
    },
  };
}

interface Held {
  readonly token: string;
  readonly observation: HeldObservation;
}

/** A relation whose first answer was Observe 5. */
export async function hold(endpoint: CoapEndpoint, peer: ScriptedPeer, log: Log): Promise<Held> {
  const outcome = watch(endpoint.observe(endpoint.peerAt(peer.address), get, log.listener));
  const [request = ""] = await peer.listen();
  assert.match(request, /^4801.{20}605161$/);
  await peer.ask(`6845${messageIdOf(request)}${tokenOf(request)}6105ff30`);
  const observed = outcome();
  assert.ok(observed?.ok && observed.observing);
  return { token: tokenOf(request), observation: observed.observation };
}
