/** One test per case of the table that runs with a pairing, each with a client, a server and a relay of its own. */
import { test } from "node:test";
import type { PlugtestCases } from "./case.ts";
import { coreCases } from "./core-cases.ts";
import { type PairingName, plugtestIds, reasonAgainst } from "./coverage.ts";
import { blockCases, linkCases } from "./link-block-cases.ts";
import { observeCases } from "./observe-cases.ts";
import type { PlugtestPairing } from "./party.ts";
import { UdpRelay } from "./platform/udp-relay.ts";

export const plugtestCases: PlugtestCases = { ...coreCases, ...linkCases, ...blockCases, ...observeCases };

/** Cases mostly wait: for a retransmission, for a second to pass. */
export const casesAtOnce = 6;

export function plugtest(name: PairingName, pairing: () => PlugtestPairing): void {
  for (const id of plugtestIds) {
    const each = plugtestCases[id];
    if (each === undefined || reasonAgainst(id, name) !== undefined) continue;
    test(`${id}: ${each.title} (${name})`, async () => {
      const { openClient, openServer } = pairing();
      const server = await openServer({ nonConfirmableNotifications: each.nonConfirmableNotifications ?? false });
      const wire = await UdpRelay.open(server.port);
      wire.sparesLastBlocks = server.forgetsRequests === true;
      try {
        const client = await openClient(wire.port);
        await each.run({ client, server, wire }).finally(() => client.close());
      } finally {
        wire.close();
        await server.close();
      }
    });
  }
}
