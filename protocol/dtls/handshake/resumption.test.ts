/** Sessions that are resumed, and answers of credentials that come late or never. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AlertDescription } from "../constants.ts";
import type { ResumableSession, SessionCache } from "../credentials-contract.ts";
import { provenParties, pskParties } from "../testing/handshake-parties.ts";
import type { WorldWish } from "../testing/handshake-world.ts";
import { connect, fail } from "./handshake-fixture.ts";

class Sessions implements SessionCache {
  readonly kept: ResumableSession[] = [];
  find(sessionId: Uint8Array): ResumableSession | undefined {
    return this.kept.find((session) => Buffer.compare(session.sessionId, sessionId) === 0);
  }
  keep(session: ResumableSession): void {
    this.kept.push(session);
  }
  forget(): void {
    this.kept.length = 0;
  }
  forgetOf(): void {
    this.kept.length = 0;
  }
}

async function sessionOf(wish: WorldWish): Promise<ResumableSession> {
  const world = await connect(wish);
  const session = world.client.facts?.session;
  assert.ok(session);
  assert.deepEqual(session.sessionId.length, 32);
  return session;
}

for (const [name, parties] of [
  ["PSK", pskParties()],
  ["RPK", provenParties("rpk")],
] as const) {
  test(`RFC 5246 §7.3: a ${name} session is resumed by its id, with new keys, new ids and the old identity`, async () => {
    const sessions = new Sessions();
    const ids = { clientId: Buffer.from("c1"), serverId: Buffer.from("s1") };
    const session = await sessionOf({ ...parties, ...ids, sessions });
    const world = await connect({ ...parties, sessions, session, clientId: Buffer.from("c2"), serverId: Buffer.from("s2"), seed: 2 });
    assert.deepEqual([world.client.facts?.resumed, world.server.facts?.resumed, world.cookies], [true, true, 1]);
    assert.deepEqual(world.server.facts?.peerIdentity, sessions.kept[0]?.identity);
    assert.deepEqual(world.server.keys?.connectionIds?.own, Buffer.from("s2"));
    assert.deepEqual([world.client.questions, world.server.questions], [[], []]);
    assert.equal(sessions.kept.length, 1);
  });
}

test("RFC 5246 §7.4.1.2: a session the server does not know goes on in full, with a session id of its own", async () => {
  const session = await sessionOf({ ...pskParties(), sessions: new Sessions() });
  const world = await connect({ ...pskParties(), sessions: new Sessions(), session, seed: 2 });
  assert.deepEqual([world.client.facts?.resumed, world.client.questions.length, world.server.questions.length], [false, 0, 1]);
});

test("RFC 6066 §3, RFC 6066 §4: a session is not resumed under another name, suite or fragment length", async () => {
  const sessions = new Sessions();
  const parties = pskParties();
  const session = await sessionOf({ ...parties, sessions });
  const named = { ...parties.credentials, serverName: "a.example" };
  const others: Partial<WorldWish>[] = [
    { credentials: named, session: { ...session, serverName: "a.example" } },
    { clientSettings: { maxFragmentLength: 512 } },
    { serverSettings: { cipherSuites: [0xc0a4] } },
    { clientSettings: { cipherSuites: [0xc0a4] } },
  ];
  for (const other of others) {
    const world = await connect({ ...parties, sessions, session, seed: 2, ...other });
    assert.deepEqual([world.client.facts?.resumed, world.server.facts?.resumed], [false, false]);
  }
});

test("an identity that is no longer welcome does not resume: it proves itself anew or fails", async () => {
  const sessions = new Sessions();
  const { credentials, realm } = pskParties();
  const session = await sessionOf({ credentials, realm, sessions });
  const world = await connect({ credentials, realm: { ...realm, isStillWelcome: () => false }, sessions, session, seed: 2 });
  assert.deepEqual([world.server.facts?.resumed, world.server.questions.map(({ kind }) => kind)], [false, ["still-welcome", "psk"]]);
  const welcome = await connect({ credentials, realm: { ...realm, isStillWelcome: () => true }, sessions, session, seed: 3 });
  assert.deepEqual([welcome.server.facts?.resumed, welcome.server.questions.length], [true, 1]);
});

test("RFC 5246 §7.4.9: a resumption with another master secret ends in silence: nothing can be opened", async () => {
  const sessions = new Sessions();
  const session = await sessionOf({ ...pskParties(), sessions });
  const stolen = { ...session, masterSecret: new Uint8Array(48) };
  const world = await fail({ ...pskParties(), sessions, session: stolen, seed: 2 });
  assert.deepEqual([world.client.failure, world.server.failure, world.client.alerts, world.server.alerts], ["timeout", "timeout", [], []]);
});

for (const afterMs of [1, 5_000, 60_000]) {
  test(`answers that come after ${afterMs} ms find the handshake waiting`, async () => {
    const late: WorldWish["answer"] = (_question, _side, answer) => ({ afterMs, answer });
    await connect({ ...pskParties(), answer: late });
    await connect({ ...provenParties("rpk"), answer: late });
  });
}

test("an answer that never comes ends with the deadline, one that comes after it changes nothing", async () => {
  const never = await fail({ ...pskParties(), answer: () => undefined });
  assert.deepEqual([never.client.failure, never.server.failure], ["psk-mismatch", "psk-mismatch"]);
  const late = await fail({ ...pskParties(), answer: (_question, _side, answer) => ({ afterMs: 300_000, answer }) });
  assert.deepEqual(late.server.failure, "psk-mismatch");
});

test("a look-up that fails is internal_error", async () => {
  const failed = { afterMs: 10, answer: { kind: "failed", reason: "store away" } } as const;
  const world = await fail({ ...pskParties(), answer: () => failed });
  assert.deepEqual(
    [world.server.failure, world.server.alerts, world.client.failure],
    ["lookup-failed", [AlertDescription.internalError], "alert-received"],
  );
  const atClient = await fail({
    ...provenParties("rpk"),
    answer: (_question, side, answer) => (side === "client" ? failed : { afterMs: 0, answer }),
  });
  assert.deepEqual([atClient.client.failure, atClient.client.alerts], ["lookup-failed", [AlertDescription.internalError]]);
});
