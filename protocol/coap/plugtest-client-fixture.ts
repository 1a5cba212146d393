/** A client under test, and the scripted peer that plays its server. */
import assert from "node:assert/strict";
import { deviceAddress, openWorld } from "../testing/coap-world.ts";
import { type PacketAnswer, PacketPeer } from "../testing/packet-peer.ts";
import { watch } from "../testing/watch.ts";
import type { ResponseCode } from "./codes.ts";
import type { CoapEndpoint } from "./endpoint-contract.ts";
import type { OutgoingRequest, Peer, RequestOutcome } from "./message.ts";

export interface Scene {
  readonly client: CoapEndpoint;
  readonly server: PacketPeer;
  readonly to: Peer;
  /** Sends the request and takes what the server hears of it. */
  ask(request: OutgoingRequest): Promise<{ readonly heard: PacketAnswer; readonly outcome: () => RequestOutcome | undefined }>;
  listenOne(ms?: number): Promise<PacketAnswer>;
}

export async function withServer(run: (scene: Scene) => Promise<void>): Promise<void> {
  const world = openWorld();
  const client = world.endpoint();
  const server = new PacketPeer(world.scripted());
  const to = client.peerAt(deviceAddress);
  const listenOne = async (ms = 100): Promise<PacketAnswer> => {
    const [heard, ...more] = await server.listen(ms);
    assert.ok(heard && more.length === 0, `${more.length + (heard ? 1 : 0)} messages heard`);
    return heard;
  };
  await run({
    client,
    server,
    to,
    listenOne,
    ask: async (request) => {
      const outcome = watch(client.request(to, request));
      return { heard: await listenOne(), outcome };
    },
  });
  await world.end();
}

export const textOf = (outcome: RequestOutcome | undefined): [ResponseCode, string] | string | undefined =>
  outcome?.ok ? [outcome.response.code, Buffer.from(outcome.response.payload).toString()] : outcome?.reason;
