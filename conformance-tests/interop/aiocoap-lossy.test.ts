/**
 * Block-wise transfers and Observe with foreign peers over a relay that loses, doubles, delays by seed and changes addresses.
 * What must hold: a body arrives as it was sent, or the transfer fails and says so; the last state observed is the last state.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { WireMessage } from "../conformance/wire-message.ts";
import { largeText, type PlugtestClient, type PlugtestPairing } from "../plugtest/party.ts";
import { openAiocoapClient, openAiocoapServer } from "../plugtest/platform/aiocoap-parties.ts";
import { openLibcoapClient, openLibcoapServer } from "../plugtest/platform/libcoap-parties.ts";
import { openOurClient, openOurServer } from "../plugtest/platform/our-parties.ts";
import { type FaultShares, faultsBySeed, UdpRelay } from "../plugtest/platform/udp-relay.ts";
import { eventually, patienceMs } from "./platform/deadline.ts";
import { removeDirectory, temporaryDirectory } from "./platform/locations.ts";
import { PythonPeer } from "./platform/python-peer.ts";
import { interopSuite, type PeerName } from "./platform/suite.ts";

const shares: FaultShares = { loss: 0.08, duplication: 0.1, reordering: 0.1 };
const testsAtOnce = 6;
const observedChanges = 6;
/** After so many datagrams of a transfer the client is heard from another address. */
const addressChangeAfter = 9;

interface Setting {
  readonly python: () => PythonPeer;
  readonly directory: () => string;
}

interface Link {
  readonly name: string;
  readonly peer: PeerName;
  readonly seeds: readonly number[];
  readonly blockSizeBytes: number;
  /** The client displays what it has of a body before it has all of it. */
  readonly displaysBlocks?: true;
  pairing(setting: Setting): PlugtestPairing;
}

const links: readonly Link[] = [
  {
    name: "aiocoap asks us",
    peer: "python",
    seeds: [1, 2, 3],
    blockSizeBytes: 128,
    pairing: ({ python }) => ({ openClient: (to) => openAiocoapClient(python(), to), openServer: openOurServer }),
  },
  {
    name: "we ask aiocoap",
    peer: "python",
    seeds: [4, 5, 6],
    blockSizeBytes: 128,
    pairing: ({ python }) => ({ openClient: openOurClient, openServer: () => openAiocoapServer(python()) }),
  },
  {
    name: "libcoap asks us",
    peer: "libcoap",
    // It takes two to three seconds for each loss.
    seeds: [10],
    blockSizeBytes: 256,
    displaysBlocks: true,
    pairing: ({ directory }) => ({ openClient: (to) => openLibcoapClient(to, directory()), openServer: openOurServer }),
  },
  {
    name: "we ask libcoap",
    peer: "libcoap",
    seeds: [8, 9],
    blockSizeBytes: 128,
    pairing: ({ directory }) => ({ openClient: openOurClient, openServer: () => openLibcoapServer(directory(), false) }),
  },
];

/** The answer, or why there is none. */
async function attempt(
  client: PlugtestClient,
  request: Parameters<PlugtestClient["request"]>[0],
): Promise<{ code: string; payload: string }> {
  return client.request(request).catch((error: unknown) => ({ code: "none", payload: String(error) }));
}

for (const link of links) {
  interopSuite(
    `bad links: ${link.name}`,
    [link.peer],
    () => {
      let python: PythonPeer | undefined;
      let directory: string;
      before(async () => {
        directory = await temporaryDirectory();
        if (link.peer === "python") python = await new PythonPeer("coap_peer.py").started();
      });
      after(async () => {
        await python?.stop();
        await removeDirectory(directory);
      });
      const setting: Setting = {
        directory: () => directory,
        python: () => {
          assert.ok(python);
          return python;
        },
      };

      async function between(
        run: (scene: {
          client: PlugtestClient;
          wire: UdpRelay;
          server: Awaited<ReturnType<PlugtestPairing["openServer"]>>;
        }) => Promise<void>,
      ): Promise<void> {
        const { openClient, openServer } = link.pairing(setting);
        const server = await openServer({ nonConfirmableNotifications: false });
        const wire = await UdpRelay.open(server.port);
        wire.sparesLastBlocks = server.forgetsRequests === true;
        try {
          const client = await openClient(wire.port);
          await run({ client, server, wire }).finally(() => client.close());
        } finally {
          wire.close();
          await server.close();
        }
      }

      for (const seed of link.seeds) {
        test(`seed ${seed}: ${largeText.length} bytes there and back`, () =>
          between(async ({ client, server, wire }) => {
            wire.faults = faultsBySeed(seed, shares);
            const path = server.resources["largeUpdate"] ?? "";
            const { blockSizeBytes } = link;
            const put = await attempt(client, { method: "put", path, payload: largeText, blockSizeBytes });
            const get = await attempt(client, { method: "get", path: server.resources["large"] ?? "", blockSizeBytes });
            wire.faults = () => "passed";
            assert.ok(
              wire.captured.some(({ fate }) => fate === "lost"),
              "nothing was lost",
            );
            if (put.code.startsWith("2."))
              assert.equal((await client.request({ method: "get", path })).payload, largeText, "it said that all is there");
            if (get.code === "2.05") assert.equal(get.payload, largeText, "a wrong body");
            // Losses of this share are what retransmission is for: a failure would be one of ours or theirs.
            assert.deepEqual([put.code.slice(0, 2), get.code], ["2.", "2.05"], `${put.payload} ${get.payload.slice(0, 200)}`);
          }));
      }

      test(`seed ${link.seeds[0]}: the last state observed is the last state`, () =>
        between(async ({ client, server, wire }) => {
          const path = server.resources["obsLarge"] ?? "";
          const watch = await client.observe(path);
          const faults = faultsBySeed(link.seeds[0] ?? 0, shares);
          // Who acknowledges one copy only loses the relation with that acknowledgement.
          const isSpared = ({ code }: WireMessage, fromClient: boolean) => client.acknowledgesOnce === true && fromClient && code === 0;
          wire.faults = (message, fromClient) => (isSpared(message, fromClient) ? "passed" : faults(message, fromClient));
          const bodies = Array.from({ length: observedChanges }, (_, i) => String(i).repeat(i % 2 === 0 ? 1_500 : 10));
          for (const body of bodies) await server.change(path, body);
          await eventually(`the last state after ${observedChanges} changes`, patienceMs, () =>
            watch.seen.at(-1) === bodies.at(-1) ? true : undefined,
          ).catch((error: unknown) => {
            const shown = wire.captured.map(({ fromClient, message: { type, code, messageId }, fate }) =>
              [fromClient ? ">" : "<", type, code, messageId, fate].join(" "),
            );
            throw new Error(`${String(error)}\n${watch.seen.map((body) => body.slice(0, 10)).join("\n")}\n${shown.join("\n")}`);
          });
          if (link.displaysBlocks) return;
          for (const body of watch.seen) assert.ok(body === largeText || bodies.includes(body), `a body nobody sent: ${body.slice(0, 40)}`);
        }));

      test("a new address in mid-transfer: the whole body or a failure that is told", () =>
        between(async ({ client, server, wire }) => {
          const { blockSizeBytes } = link;
          let count = 0;
          wire.faults = () => {
            if (++count === addressChangeAfter) wire.rebind();
            return "passed";
          };
          const path = server.resources["largeUpdate"] ?? "";
          const put = await attempt(client, { method: "put", path, payload: largeText, blockSizeBytes });
          count = 0;
          const get = await attempt(client, { method: "get", path: server.resources["large"] ?? "", blockSizeBytes });
          wire.faults = () => "passed";
          if (get.code === "2.05") assert.equal(get.payload, largeText, "a wrong body");
          const stored = await attempt(client, { method: "get", path });
          if (put.code.startsWith("2.")) assert.equal(stored.payload, largeText, "it said that all is there");
          else assert.notEqual(stored.payload, largeText.slice(0, stored.payload.length) || "-", "part of a body");
        }));
    },
    testsAtOnce,
  );
}
