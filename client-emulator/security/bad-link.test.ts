import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { openSecureWorld, pskRealm, secureUri, theKey } from "../testing/secure-world.ts";
import { deviceAddress } from "../testing/world.ts";
import { usualDtls } from "./dtls-client-settings.ts";
import { pskCredential } from "./security-credential.ts";

const goodLink = { delayMs: 10, loss: 0, duplication: 0, reordering: 0 };

for (let seed = 1; seed <= 8; seed += 1) {
  test(`lossy link, new addresses, ended sessions, restarts and outages: registered again in the end, seed ${seed}`, async () => {
    const world = await openSecureWorld(pskRealm("dev"), { loss: 0.2, duplication: 0.1, reordering: 0.2 }, seed);
    const random = seededRandom(seed * 7);
    const connectionIdBytes = random.fraction() < 0.5 ? 0 : undefined;
    const client = await world.open(
      { queueMode: random.fraction() < 0.5, awakeSeconds: 20, sendIntervalSeconds: 50 },
      { serverUri: secureUri, serverCredential: pskCredential("dev", theKey), dtls: { ...usualDtls, connectionIdBytes } },
    );
    const local = { address: deviceAddress, port: world.network.traffic[0]?.from.port ?? 0 };
    let server = world.secure;
    for (let round = 0; round < 30; round += 1) {
      await world.clock.advance(random.fraction() * 400_000);
      const fate = random.fraction();
      if (fate < 0.3) world.network.rebind(local, { address: "203.0.113.50", port: 1_000 + round });
      else if (fate < 0.5) server.dtls.disconnectWhere(() => true);
      else if (fate < 0.6) server = await world.restart();
      else if (fate < 0.7) {
        world.network.filter = () => false;
        await world.clock.advance(random.fraction() * 1_000_000);
        world.network.filter = () => true;
      }
    }
    world.network.conditions = goodLink;
    // The longest delay between two attempts to register is 960 s.
    await world.clock.advance(2_500_000);
    assert.equal(client.isRegistered(), true);
    assert.ok(client.statistics().registrations > 1);
    await world.close();
  });
}
