import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { ContentType, HandshakeType } from "../constants.ts";
import type { ResumableSession, SessionCache } from "../credentials-contract.ts";
import { defaultHandshakeSettings, type OutgoingRecord } from "../handshake-contract.ts";
import { provenParties, pskParties } from "../testing/handshake-parties.ts";
import { type Fate, HandshakeWorld, type WireDatagram, type WorldWish } from "../testing/handshake-world.ts";
import { FlightTimer } from "./flight-timer.ts";

const arrives: Fate = [0];
const lost: Fate = [];

async function resumedParties(): Promise<WorldWish> {
  const kept: ResumableSession[] = [];
  const sessions: SessionCache = {
    find: () => kept[0],
    keep: (session) => kept.push(session),
    forget: () => undefined,
    forgetOf: () => undefined,
  };
  const world = await new HandshakeWorld({ ...pskParties(), sessions }).run();
  const session = world.client.facts?.session;
  assert.ok(session);
  return { ...pskParties(), sessions, session, seed: 2 };
}

const flows: readonly (readonly [string, () => Promise<WorldWish> | WorldWish])[] = [
  ["PSK", () => ({ ...pskParties(), clientId: Buffer.from("c"), serverId: Buffer.from("s") })],
  ["mutual raw keys", () => provenParties("rpk")],
  [
    "mutual certificates in small records",
    () => ({ ...provenParties("x509"), serverSettings: { mtuBytes: 200 }, clientSettings: { mtuBytes: 150 } }),
  ],
  ["resumption", resumedParties],
];

const mishaps: readonly (readonly [string, Fate])[] = [
  ["lost", lost],
  ["doubled", [0, 5]],
  ["doubled late", [0, 700, 1_700]],
  ["overtaken by the next", [30]],
  ["late by half a second", [500]],
  ["later than its repetition", [1_500]],
];

for (const [flow, wishOf] of flows) {
  for (const [mishap, fate] of mishaps) {
    test(`RFC 6347 §4.2.4: ${flow}, any one datagram ${mishap}`, async () => {
      const wish = await wishOf();
      for (const recordsPerDatagram of [1, 1_000]) {
        const undisturbed = await new HandshakeWorld({ ...wish, recordsPerDatagram }).run();
        assert.deepEqual(undisturbed.faults(), []);
        for (const earlyRecords of ["kept", "dropped"] as const) {
          for (let victim = 0; victim < undisturbed.sent.length; victim++) {
            const world = await new HandshakeWorld({
              ...wish,
              recordsPerDatagram,
              earlyRecords,
              fate: ({ index }) => (index === victim ? fate : arrives),
            }).run();
            assert.deepEqual(world.faults(), [], `datagram ${victim}, ${recordsPerDatagram} records each, early ones ${earlyRecords}`);
            assert.deepEqual([world.client.isDone, world.server.isDone, world.clock.pendingTimers()], [true, true, 0]);
          }
        }
      }
    });
  }

  test(`RFC 6347 §4.2.4: ${flow}, through loss, doubling and delay by chance`, async () => {
    const wish = await wishOf();
    let connected = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const chance = seededRandom(seed);
      const delay = () => chance.integer(1_500);
      const fate = () => (chance.fraction() < 0.25 ? lost : chance.fraction() < 0.2 ? [delay(), delay()] : [delay()]);
      const world = await new HandshakeWorld({ ...wish, recordsPerDatagram: 1 + chance.integer(3), fate, seed }).run();
      const faults = world.faults();
      if (faults.length === 0) connected += 1;
      // Whatever happens, nobody is connected alone for good reasons of the other side, and nothing is left over.
      else assert.deepEqual(faults[0], "not connected", `seed ${seed}`);
      assert.equal(world.clock.pendingTimers(), 0, `seed ${seed}`);
    }
    assert.ok(connected >= 40, `${connected} of 60 connected`);
  });
}

test("RFC 6347 §4.2.3: PSK and raw keys through server records of every size from 13 to 80 bytes", async () => {
  const parties = [pskParties(), provenParties("rpk")];
  for (let mtuBytes = 13; mtuBytes <= 80; mtuBytes++) {
    for (const each of parties) {
      const serverSettings = { mtuBytes, smallMtuBytes: mtuBytes };
      // The first hello is never in fragments: the front door would drop it, as it may (RFC 6347 §4.2.1).
      const world = await new HandshakeWorld({ ...each, serverSettings }).run();
      assert.deepEqual(world.faults(), []);
      const sizes = world.sent
        .filter(({ from }) => from === "server")
        .flatMap(({ records }) => records.map(({ fragment }) => fragment.length));
      // The HelloVerifyRequest has a datagram of its own.
      assert.ok(Math.max(...sizes.slice(1)) <= mtuBytes);
    }
  }
});

test("RFC 6347 §4.2.4.1: a flight is sent at 0, 1, 3, 7, 15 and 31 s and given up at 63 s", async () => {
  const world = new HandshakeWorld({ ...pskParties(), fate: () => lost, jitter: 0 });
  world.start();
  await world.clock.advance(62_999);
  assert.deepEqual([world.client.sentAt, world.client.failure], [[0, 1_000, 3_000, 7_000, 15_000, 31_000], undefined]);
  await world.clock.advance(1);
  assert.deepEqual([world.client.failure, world.clock.pendingTimers()], ["timeout", 0]);
});

test("RFC 7925 §11: nine seconds for constrained networks; the deadline comes first", async () => {
  const clientSettings = { initialTimeoutMs: 9_000, deadlineMs: 100_000 };
  const world = await new HandshakeWorld({ ...pskParties(), clientSettings, fate: () => lost, jitter: 0 }).run(100_000);
  assert.deepEqual([world.client.sentAt, world.client.failure], [[0, 9_000, 27_000, 63_000], "timeout"]);
});

test("timers are late by chance, a tenth at most", () => {
  for (const [fraction, delayMs] of [
    [0, 1_000],
    [0.5, 1_050],
    [0.99, 1_099],
  ] as const) {
    const timer = new FlightTimer(defaultHandshakeSettings, { ...seededRandom(1), fraction: () => fraction });
    timer.begin(0);
    timer.sent("flight", 0);
    assert.equal(timer.arm(0), delayMs);
    assert.equal(timer.arm(0), undefined, "one is set that is due then");
  }
});

test("RFC 6347 §4.1.1.1: after two losses the flight goes in smaller records", async () => {
  const isServerFlight = ({ from, records }: WireDatagram) => from === "server" && records.length > 1;
  const wish = { ...provenParties("x509"), serverSettings: { mtuBytes: 400, smallMtuBytes: 100 }, jitter: 0 };
  const world = await new HandshakeWorld({ ...wish, fate: (datagram) => (isServerFlight(datagram) ? lost : arrives) }).run(10_000);
  const flights = world.sent.filter(isServerFlight).map(({ records }) => Math.max(...records.map(({ fragment }) => fragment.length)));
  // The client asks again, too, at the times of its own.
  assert.ok(flights[0] !== undefined && flights[0] > 100);
  assert.deepEqual(flights.at(-1), 100);
});

test("RFC 6347 §4.2.4: a partial next flight stops the repetition of ours, the rest is asked for by the peer", async () => {
  const parties = provenParties("rpk");
  // Of the client's answer only the first record, its Certificate, ever arrives until 10 s.
  const world = new HandshakeWorld({
    ...parties,
    recordsPerDatagram: 1,
    jitter: 0,
    fate: ({ from, records: [record] }) =>
      from === "client" && record !== undefined && isAfterCertificate(record) && world.clock.now() < until ? lost : arrives,
  });
  const until = world.clock.now() + 10_000;
  await world.run();
  assert.deepEqual(world.faults(), []);
  // Cookie, flight, last flight: what the server said once it said once only.
  assert.deepEqual(world.server.sentAt.length, 3);
});

function isAfterCertificate({ type, fragment }: OutgoingRecord): boolean {
  return (
    type !== ContentType.handshake ||
    fragment[0] === HandshakeType.clientKeyExchange ||
    (fragment[0] ?? 0) === HandshakeType.certificateVerify
  );
}

test("RFC 6347 §4.2.4: the last flight has no timer and is sent again for each repeat of the peer's Finished", async () => {
  const isLast = ({ from, records }: WireDatagram) => from === "server" && records.some(({ epoch }) => epoch === 1);
  let losses = 0;
  const fate = (datagram: WireDatagram) => (isLast(datagram) && ++losses <= 3 ? lost : arrives);
  const world = await new HandshakeWorld({ ...pskParties(), fate, jitter: 0 }).run();
  assert.deepEqual(world.faults(), []);
  assert.deepEqual(world.sent.filter(isLast).length, 4);
});

test("RFC 6347 §4.2.4: lingering ends with application data, or after 2 MSL", async () => {
  const byItself = new HandshakeWorld(pskParties());
  byItself.start();
  await byItself.clock.advance(1_000);
  assert.deepEqual([byItself.server.facts?.role, byItself.server.isDone], ["server", false]);
  await byItself.clock.advance(defaultHandshakeSettings.lingerMs);
  assert.equal(byItself.server.isDone, true);
  const byData = new HandshakeWorld(pskParties());
  byData.start();
  await byData.clock.advance(1_000);
  byData.step("server", { kind: "application-data" });
  assert.deepEqual([byData.server.isDone, byData.clock.pendingTimers()], [true, 0]);
});

test("duplicates of the peer's Finished in quick succession are answered once", async () => {
  const world = new HandshakeWorld(pskParties());
  world.start();
  await world.clock.advance(1_000);
  const finished = world.sent.find(({ from, records }) => from === "client" && records.some(({ epoch }) => epoch === 1))?.records.at(-1);
  assert.ok(finished);
  const before = world.server.sentAt.length;
  for (let i = 0; i < 50; i++) world.step("server", { kind: "record", ...finished });
  assert.equal(world.server.sentAt.length, before + 1);
});

test("a client that resumes lingers, and answers repeats of the server's Finished", async () => {
  const isClientsLast = ({ from, records }: WireDatagram) => from === "client" && records.some(({ epoch }) => epoch === 1);
  let losses = 0;
  const fate = (datagram: WireDatagram) => (isClientsLast(datagram) && ++losses <= 2 ? lost : arrives);
  const world = await new HandshakeWorld({ ...(await resumedParties()), fate }).run();
  assert.deepEqual(world.faults(), []);
  assert.equal(world.client.facts?.resumed, true);
});
