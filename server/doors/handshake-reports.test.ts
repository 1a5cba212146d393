import assert from "node:assert/strict";
import { test } from "node:test";
import { clientAt, DtlsWorld, pskOf } from "@lwm2m/protocol/dtls/testing/dtls-world";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import type { EventDraft } from "../events/event.ts";
import { openSupervisor } from "../supervisor.ts";
import { HandshakeReports } from "./handshake-reports.ts";

test("failed and refused handshakes are one line and one event a minute, however many there are; quiet minutes are silent", async () => {
  const world = new DtlsWorld();
  const { clock } = world;
  const server = await world.server({ limits: { handshakesPerSecond: 1, handshakeBurst: 20 }, settings: { deadlineMs: 20_000 } });
  const events: EventDraft[] = [];
  const lines: unknown[] = [];
  const reports = new HandshakeReports({
    ...{ door: "coaps", dtls: server.endpoint, clock, random: seededRandom(3) },
    log: { warn: (_message, fields) => lines.push(fields) },
    events: { append: async (drafts) => void events.push(...drafts) },
    supervisor: openSupervisor({ error: (message) => assert.fail(message) }),
  });
  const clients = [];
  for (let place = 0; place < 25; place++) {
    const client = await world.client({ settings: { deadlineMs: 15_000 } }, { address: `10.0.1.${place + 1}`, port: clientAt.port });
    clients.push(assert.rejects(client.endpoint.connect({ address: "10.0.0.1", port: 5_684 }, pskOf("stranger"))));
  }
  await clock.advance(59_000);
  assert.equal(events.length, 0);
  await clock.advance(2_000);
  await Promise.all(clients);
  const [event, ...more] = events;
  assert.deepEqual([event?.type, event?.subject, more], ["security.handshakesFailed", "coaps", []]);
  const { failed, refused, addresses, ...rest } = lines[0] as { failed: Counts; refused: Counts; addresses: string[] };
  assert.deepEqual(event?.data, lines[0]);
  assert.deepEqual(rest, { door: "coaps" });
  assert.ok((failed["psk-mismatch"] ?? 0) >= 20, JSON.stringify(failed));
  assert.ok((refused["rate"] ?? 0) > 0, JSON.stringify(refused));
  assert.equal(addresses.length, 10);
  await clock.advance(180_000);
  assert.equal(lines.length, 1);
  const late = await world.client({ settings: { deadlineMs: 5_000 } }, { ...clientAt, port: 9 });
  const failing = assert.rejects(late.endpoint.connect({ address: "10.0.0.1", port: 5_684 }, pskOf("stranger")));
  await clock.advance(25_000);
  await failing;
  reports.close();
  assert.equal(events.length, 2);
  await clock.advance(120_000);
  assert.deepEqual([events.length, lines.length], [2, 2]);
  await world.end();
});

type Counts = { readonly [failure: string]: number };
