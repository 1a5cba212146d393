/** One side of a handshake in a test, and whether two of them see the connection alike. */
import type { Timer } from "../../ports/clock.ts";
import type { ConnectionFacts, ConnectionKeys, HandshakeMachine, OutgoingRecord, Question } from "../handshake-contract.ts";

export type RoleName = "client" | "server";

/** What came of one side. */
export class Side {
  machine: HandshakeMachine | undefined;
  keys: ConnectionKeys | undefined;
  facts: ConnectionFacts | undefined;
  failure: string | undefined;
  reason: string | undefined;
  isDone = false;
  timer: Timer | undefined;
  /** Alerts it sent, by description. */
  readonly alerts: number[] = [];
  /** When it sent something, milliseconds since the start. */
  readonly sentAt: number[] = [];
  readonly questions: Question[] = [];
  readonly early: OutgoingRecord[] = [];
}

export function disagreements(client: Side, server: Side): readonly string[] {
  if (client.facts === undefined || server.facts === undefined || client.keys === undefined || server.keys === undefined) {
    return ["not connected"];
  }
  const seen = viewOf(client.keys);
  const { connectionIds: ids, sends, receives, ...keys } = viewOf(server.keys);
  // What one side sends the other receives.
  const mirrored = { connectionIds: ids && { own: ids.peer, peer: ids.own, draft: ids.draft }, sends: receives, receives: sends, ...keys };
  return isSame(seen, mirrored) ? [] : ["different keys or limits"];
}

function viewOf({ connectionIds, largestSendBytes, largestReceiveBytes, ...keys }: ConnectionKeys) {
  const ids = connectionIds && { own: hex(connectionIds.own), peer: hex(connectionIds.peer), draft: connectionIds.draft };
  const { clientMacKey, serverMacKey, clientKey, serverKey, clientIv, serverIv, cipherSuite, encryptThenMac } = keys;
  const bytes = [clientMacKey, serverMacKey, clientKey, serverKey, clientIv, serverIv].map(hex).join(" ");
  return { connectionIds: ids, sends: largestSendBytes, receives: largestReceiveBytes, cipherSuite, encryptThenMac, bytes };
}

function isSame(one: object, other: object): boolean {
  const sorted = (value: object): string => JSON.stringify(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
  return sorted(one) === sorted(other);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
