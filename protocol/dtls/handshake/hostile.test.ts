import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { AlertDescription, ContentType, HandshakeType, ProtocolVersion } from "../constants.ts";
import type { ResumableSession } from "../credentials-contract.ts";
import { defaultHandshakeSettings, type OutgoingRecord } from "../handshake-contract.ts";
import type { ClientHello, HelloExtensions, ServerHello } from "../messages.ts";
import { provenParties, pskIdentity, pskKey, pskParties } from "../testing/handshake-parties.ts";
import { HandshakeWorld, type WireDatagram, type WorldWish } from "../testing/handshake-world.ts";
import { decodeServerHello, encodeClientHello, encodeServerHello } from "../wire/handshake-codec.ts";
import { encodeHandshakeFragment, encodeHandshakeMessage, readHandshakeFragments } from "../wire/handshake-header.ts";
import { ClientHandshake } from "./client-handshake.ts";
import { ServerHandshake } from "./server-handshake.ts";

async function fail(wish: WorldWish): Promise<HandshakeWorld> {
  const world = await new HandshakeWorld(wish).run();
  assert.deepEqual([world.client.facts, world.server.facts, world.clock.pendingTimers()], [undefined, undefined, 0]);
  return world;
}

/** Rewrites the body of every message of one type on the wire; undefined leaves it out. */
function rewriting(type: number, change: (body: Uint8Array) => Uint8Array | undefined): WorldWish["forge"] {
  return ({ records }: WireDatagram) =>
    records.flatMap((record): OutgoingRecord[] => {
      if (record.type !== ContentType.handshake || record.fragment[0] !== type) return [record];
      const [message] = readHandshakeFragments(record.fragment);
      assert.ok(message);
      const body = change(message.bytes);
      return body === undefined ? [] : [{ ...record, fragment: encodeHandshakeMessage(type, message.sequence, body) }];
    });
}

function changedServerHello(change: Partial<ServerHello>, extensions: HelloExtensions = {}): WorldWish["forge"] {
  return rewriting(HandshakeType.serverHello, (body) => {
    const hello = decodeServerHello(body);
    return encodeServerHello({ ...hello, ...change, extensions: { ...hello.extensions, ...extensions } });
  });
}

const clientRefusals: readonly (readonly [string, WorldWish["forge"], number])[] = [
  ["RFC 5246 §7.4.1.3: another version", changedServerHello({ version: ProtocolVersion.dtls10 }), AlertDescription.protocolVersion],
  ["RFC 5246 §7.4.1.3: a suite that was not offered", changedServerHello({ cipherSuite: 0xc030 }), AlertDescription.illegalParameter],
  ["RFC 5246 §7.4.1.3: a signal instead of a suite", changedServerHello({ cipherSuite: 0x00ff }), AlertDescription.illegalParameter],
  ["RFC 5246 §7.4.1.3: compression", changedServerHello({ compressionMethod: 1 }), AlertDescription.illegalParameter],
  [
    "RFC 5246 §7.4.1.4: a connection id nobody asked for",
    changedServerHello({}, { connectionId: Uint8Array.of(1) }),
    AlertDescription.unsupportedExtension,
  ],
  [
    "RFC 5077 §3.2: a ticket nobody asked for",
    changedServerHello({}, { sessionTicket: new Uint8Array(0) }),
    AlertDescription.unsupportedExtension,
  ],
  [
    "RFC 6066 §4: a fragment length nobody asked for",
    changedServerHello({}, { maxFragmentLength: 1 }),
    AlertDescription.unsupportedExtension,
  ],
  [
    "RFC 7250 §4.2: a certificate type nobody asked for",
    changedServerHello({}, { serverCertificateTypes: [2] }),
    AlertDescription.unsupportedExtension,
  ],
  [
    "RFC 5746 §3.4: renegotiation_info that is not empty",
    changedServerHello({}, { renegotiationInfo: Uint8Array.of(1) }),
    AlertDescription.handshakeFailure,
  ],
];

for (const [name, forge, alert] of clientRefusals) {
  test(`${name} in the ServerHello is refused by the client`, async () => {
    const world = await fail({ ...pskParties(), ...(forge === undefined ? {} : { forge }) });
    assert.deepEqual(world.client.alerts, [alert]);
    assert.equal(world.server.failure, "alert-received");
  });
}

test("RFC 7627 §5.2: a ServerHello without extended master secret is refused by the client that requires it", async () => {
  const forge = rewriting(HandshakeType.serverHello, (body) => {
    const { extendedMasterSecret: _, ...extensions } = decodeServerHello(body).extensions;
    return encodeServerHello({ ...decodeServerHello(body), extensions });
  });
  const world = await fail({ ...pskParties(), ...(forge && { forge }) });
  assert.deepEqual(world.client.alerts, [AlertDescription.handshakeFailure]);
});

test("RFC 5246 §7.4.9: an extension taken out on the way is seen in Finished, or nothing can be opened at all", async () => {
  const forge = rewriting(HandshakeType.serverHello, (body) => {
    const { connectionId: _, ...extensions } = decodeServerHello(body).extensions;
    return encodeServerHello({ ...decodeServerHello(body), extensions });
  });
  const world = await fail({ ...pskParties(), clientId: Uint8Array.of(1), serverId: Uint8Array.of(2), ...(forge && { forge }) });
  assert.equal(world.server.failure, "psk-mismatch");
});

/** Group, length and point; the signature follows (RFC 8422 §5.4). */
const shareBytes = 1 + 2 + 1 + 65;

const keyExchangeRefusals: readonly (readonly [string, (body: Uint8Array) => Uint8Array, number, string])[] = [
  ["without its signature", (body) => body.subarray(0, shareBytes), AlertDescription.decodeError, "bad-message"],
  [
    "with an empty signature",
    (body) => Buffer.concat([body.subarray(0, shareBytes + 2), Uint8Array.of(0, 0)]),
    AlertDescription.decryptError,
    "bad-signature",
  ],
  ["with another share under the signature", (body) => changedAt(body, shareBytes - 1), AlertDescription.decryptError, "bad-signature"],
  ["with a scheme that was not offered", (body) => changedAt(body, shareBytes), AlertDescription.illegalParameter, "bad-message"],
  ["in a group that was not offered", (body) => changedAt(body, 2), AlertDescription.illegalParameter, "bad-message"],
  ["with explicit curve parameters", (body) => changedAt(body, 0), AlertDescription.illegalParameter, "bad-message"],
];

for (const [name, change, alert, failure] of keyExchangeRefusals) {
  test(`RFC 8422 §5.4: a ServerKeyExchange ${name} is refused by the client`, async () => {
    const forge = rewriting(HandshakeType.serverKeyExchange, change);
    const world = await fail({ ...provenParties("rpk"), ...(forge && { forge }) });
    assert.deepEqual([world.client.failure, world.client.alerts], [failure, [alert]]);
  });
}

test("RFC 8422 §5.4.1: a share off the curve is illegal_parameter, from either side", async () => {
  const clients = rewriting(HandshakeType.clientKeyExchange, (body) => changedAt(body, 20));
  const world = await fail({ ...provenParties("rpk"), ...(clients && { forge: clients }) });
  assert.deepEqual([world.server.failure, world.server.alerts], ["bad-message", [AlertDescription.illegalParameter]]);
  // Without a signature over it: ECDHE_PSK.
  const servers = rewriting(HandshakeType.serverKeyExchange, (body) => changedAt(body, 20));
  const ofPsk = { ...pskParties(), clientSettings: { cipherSuites: [0xd003] }, ...(servers && { forge: servers }) };
  assert.deepEqual((await fail(ofPsk)).client.alerts, [AlertDescription.illegalParameter]);
});

function changedAt(body: Uint8Array, at: number): Uint8Array {
  const changed = body.slice();
  changed[at] = (changed[at] ?? 0) ^ 0x40;
  return changed;
}

test("RFC 5246 §7.4.8: a client certificate whose CertificateVerify is left out, or is over something else, is refused", async () => {
  const left = rewriting(HandshakeType.certificateVerify, () => undefined);
  const without = await fail({ ...provenParties("rpk"), ...(left && { forge: left }) });
  // The messages after it wait for it, and it never comes.
  assert.deepEqual(without.server.failure, "timeout");
  const other = rewriting(HandshakeType.certificateVerify, (body) => changedAt(body, body.length - 1));
  const wrong = await fail({ ...provenParties("rpk"), ...(other && { forge: other }) });
  assert.deepEqual([wrong.server.failure, wrong.server.alerts], ["bad-signature", [AlertDescription.decryptError]]);
});

const random = seededRandom(1);
const goodHello: ClientHello = {
  version: ProtocolVersion.dtls12,
  random: random.bytes(32),
  sessionId: new Uint8Array(0),
  cookie: random.bytes(16),
  cipherSuites: [0xc0a8],
  compressionMethods: [0],
  extensions: { extendedMasterSecret: true },
};

function tryServer(
  body: Uint8Array,
  parts: { session?: ResumableSession; settings?: Partial<typeof defaultHandshakeSettings>; ownConnectionId?: Uint8Array } = {},
) {
  const { session, settings, ownConnectionId } = parts;
  const machine = new ServerHandshake({
    settings: { ...defaultHandshakeSettings, ...settings },
    credentials: { realmOf: () => ({ findPsk: () => pskKey }) },
    sessions: { find: () => session, keep: () => undefined, forget: () => undefined, forgetOf: () => undefined },
    random: seededRandom(2),
    verifiedHello: encodeHandshakeMessage(HandshakeType.clientHello, 1, body),
    ...(ownConnectionId === undefined ? {} : { ownConnectionId }),
  });
  const effects = machine.start(0);
  const records = effects.flatMap((effect) => (effect.kind === "send" ? effect.records : []));
  const alerts = records.filter(({ type }) => type === ContentType.alert).map(({ fragment }) => [...fragment]);
  const [first] = records;
  const serverHello =
    first?.type === ContentType.handshake && first.fragment[0] === HandshakeType.serverHello
      ? readHandshakeFragments(first.fragment)[0]
      : undefined;
  return { machine, effects, alerts, answer: serverHello && decodeServerHello(serverHello.bytes) };
}

function withExtensions(extensions: HelloExtensions): Uint8Array {
  return encodeClientHello({ ...goodHello, extensions: { ...goodHello.extensions, ...extensions } });
}

const fatal = (description: number) => [[2, description]];

test("RFC 6347 §4.2.1: a client of DTLS 1.0 gets protocol_version, after the cookie; a later one gets 1.2", () => {
  assert.deepEqual(
    tryServer(encodeClientHello({ ...goodHello, version: ProtocolVersion.dtls10 })).alerts,
    fatal(AlertDescription.protocolVersion),
  );
  assert.deepEqual(tryServer(encodeClientHello({ ...goodHello, version: 0x0303 })).alerts, fatal(AlertDescription.protocolVersion));
  assert.equal(tryServer(encodeClientHello({ ...goodHello, version: 0xfefc })).answer?.version, ProtocolVersion.dtls12);
});

test("RFC 7627 §5.3: a hello without extended master secret is refused, unless the listener is told otherwise", () => {
  const body = encodeClientHello({ ...goodHello, extensions: {} });
  assert.deepEqual(tryServer(body).alerts, fatal(AlertDescription.handshakeFailure));
  const lenient = tryServer(body, { settings: { requireExtendedMasterSecret: false } });
  assert.deepEqual([lenient.alerts, lenient.answer?.extensions], [[], {}]);
});

test("RFC 5746 §3.6: the empty renegotiation_info and the signal are answered by an empty one, anything else is refused", () => {
  const empty = new Uint8Array(0);
  assert.deepEqual(tryServer(withExtensions({})).answer?.extensions.renegotiationInfo, undefined);
  assert.deepEqual(tryServer(withExtensions({ renegotiationInfo: empty })).answer?.extensions.renegotiationInfo, empty);
  const signalled = encodeClientHello({ ...goodHello, cipherSuites: [0xc0a8, 0x00ff] });
  assert.deepEqual(tryServer(signalled).answer?.extensions.renegotiationInfo, empty);
  assert.deepEqual(tryServer(withExtensions({ renegotiationInfo: Uint8Array.of(1) })).alerts, fatal(AlertDescription.handshakeFailure));
});

test("RFC 5246 §7.4.1.4: the ServerHello has no extension that was not offered, and knows nothing of unknown ones", () => {
  const plain = tryServer(withExtensions({}));
  assert.deepEqual(Object.keys(plain.answer?.extensions ?? {}), ["extendedMasterSecret"]);
});

test("the drafts' code point of connection ids is answered where the final one is not offered", () => {
  const [own, peer] = [Uint8Array.of(1), Uint8Array.of(2)];
  const both = tryServer(withExtensions({ connectionId: peer, connectionIdDraft: peer }), { ownConnectionId: own });
  assert.deepEqual([both.answer?.extensions.connectionId, both.answer?.extensions.connectionIdDraft], [own, undefined]);
  const draft = tryServer(withExtensions({ connectionIdDraft: peer }), { ownConnectionId: own });
  assert.deepEqual([draft.answer?.extensions.connectionId, draft.answer?.extensions.connectionIdDraft], [undefined, own]);
  draft.machine.step(record(HandshakeType.clientKeyExchange, 2, clientKeyExchange), 0);
  const effects = draft.machine.step({ kind: "answer", ask: 1, answer: { kind: "psk", key: pskKey } }, 0);
  assert.deepEqual(effects.find((effect) => effect.kind === "keys")?.keys.connectionIds, { own, peer, draft: true });
});

const session: ResumableSession = {
  sessionId: new Uint8Array(32).fill(1),
  masterSecret: new Uint8Array(48).fill(2),
  cipherSuite: 0xc0a8,
  extendedMasterSecret: true,
  encryptThenMac: false,
  maxFragmentLength: undefined,
  serverName: undefined,
  identity: { kind: "psk", identity: pskIdentity },
  madeAt: 0,
};

test("RFC 7627 §5.3: a session is resumed only with the same state of extended master secret", () => {
  const settings = { requireExtendedMasterSecret: false };
  const withIt = encodeClientHello({ ...goodHello, sessionId: session.sessionId });
  const withoutIt = encodeClientHello({ ...goodHello, sessionId: session.sessionId, extensions: {} });
  assert.deepEqual(tryServer(withIt, { session, settings }).answer?.sessionId, session.sessionId);
  assert.deepEqual(tryServer(withoutIt, { session, settings }).alerts, fatal(AlertDescription.handshakeFailure));
  const old = { ...session, extendedMasterSecret: false };
  assert.notDeepEqual(tryServer(withIt, { session: old, settings }).answer?.sessionId, session.sessionId);
  assert.deepEqual(tryServer(withoutIt, { session: old, settings }).answer?.sessionId, session.sessionId);
});

test("a session of an anonymous client is not resumed where clients prove themselves by now", () => {
  const { identity: _, ...rest } = session;
  const hello = encodeClientHello({ ...goodHello, sessionId: session.sessionId });
  const { answer } = tryServer(hello, { session: { ...rest, identity: undefined } });
  assert.notDeepEqual(answer?.sessionId, session.sessionId);
});

test("RFC 5246 §7.2.2: a ClientHello cut anywhere gets decode_error, illegal_parameter or a refusal, once, and nothing is thrown", () => {
  const body = withExtensions({ serverName: "a.example", connectionId: random.bytes(8), maxFragmentLength: 2 });
  for (let length = 0; length < body.length; length++) {
    const { alerts, effects } = tryServer(body.subarray(0, length));
    assert.ok(alerts.length <= 1);
    const ended = effects.some(({ kind }) => kind === "failed");
    assert.equal(ended, alerts.length === 1, `cut at ${length}`);
  }
});

function record(type: number, sequence: number, body: Uint8Array, epoch: 0 | 1 = 0) {
  return { kind: "record", type: ContentType.handshake, epoch, fragment: encodeHandshakeMessage(type, sequence, body) } as const;
}

const clientKeyExchange = Buffer.concat([Uint8Array.of(0, pskIdentity.length), pskIdentity]);

test("RFC 5246 §7.2.2: an over-long message is illegal_parameter, a malformed one decode_error, one out of order unexpected_message", () => {
  const cases: readonly (readonly [number, Uint8Array, number, string])[] = [
    [HandshakeType.clientKeyExchange, new Uint8Array(1_025), AlertDescription.illegalParameter, "too-large"],
    [HandshakeType.clientKeyExchange, Uint8Array.of(0, 9, 1), AlertDescription.decodeError, "bad-message"],
    [HandshakeType.clientKeyExchange, Buffer.concat([clientKeyExchange, Uint8Array.of(0)]), AlertDescription.decodeError, "bad-message"],
    [HandshakeType.certificate, new Uint8Array(3), AlertDescription.unexpectedMessage, "unexpected-message"],
    [HandshakeType.finished, new Uint8Array(12), AlertDescription.unexpectedMessage, "unexpected-message"],
    [HandshakeType.helloRequest, new Uint8Array(0), AlertDescription.unexpectedMessage, "unexpected-message"],
    [99, new Uint8Array(0), AlertDescription.unexpectedMessage, "unexpected-message"],
  ];
  for (const [type, body, alert, failure] of cases) {
    const { machine } = tryServer(encodeClientHello(goodHello));
    const effects = machine.step(record(type, 2, body), 0);
    const sent = effects.flatMap((effect) => (effect.kind === "send" ? effect.records : []));
    assert.deepEqual(
      sent.map(({ fragment }) => [...fragment]),
      fatal(alert),
      `type ${type}`,
    );
    assert.equal(effects.find((effect) => effect.kind === "failed")?.failure, failure);
    assert.deepEqual([machine.step(record(type, 2, body), 0), machine.heldBytes], [[], 0]);
  }
});

test("RFC 6347 §4.1: a message in the epoch of another is refused", () => {
  const { machine } = tryServer(encodeClientHello(goodHello));
  const effects = machine.step(record(HandshakeType.clientKeyExchange, 2, clientKeyExchange, 1), 0);
  assert.equal(effects.find((effect) => effect.kind === "failed")?.failure, "unexpected-message");
});

test("RFC 5246 §7.2.2: a message too many ahead, fragments that lead nowhere and records that are none cost nothing", () => {
  const { machine } = tryServer(encodeClientHello(goodHello));
  const held = machine.heldBytes;
  const nowhere = { type: HandshakeType.clientKeyExchange, length: 100, sequence: 2, fragmentOffset: 50, bytes: new Uint8Array(0) };
  const inputs = [
    record(HandshakeType.clientKeyExchange, 40, clientKeyExchange),
    { kind: "record", type: ContentType.handshake, epoch: 0, fragment: encodeHandshakeFragment(nowhere) },
    { kind: "record", type: ContentType.handshake, epoch: 0, fragment: Uint8Array.of(16, 0, 0, 1) },
    { kind: "record", type: ContentType.handshake, epoch: 0, fragment: new Uint8Array(0) },
    { kind: "record", type: ContentType.changeCipherSpec, epoch: 0, fragment: Uint8Array.of(2) },
    { kind: "record", type: ContentType.changeCipherSpec, epoch: 1, fragment: Uint8Array.of(1) },
    { kind: "record", type: ContentType.alert, epoch: 0, fragment: Uint8Array.of(2) },
    { kind: "record", type: ContentType.alert, epoch: 0, fragment: Uint8Array.of(7, 40) },
    { kind: "record", type: ContentType.applicationData, epoch: 0, fragment: Uint8Array.of(1) },
    { kind: "record", type: 77, epoch: 0, fragment: Uint8Array.of(1) },
    { kind: "application-data" },
    { kind: "answer", ask: 5, answer: { kind: "psk", key: pskKey } },
  ] as const;
  for (const input of inputs) assert.deepEqual(machine.step(input, 0), []);
  assert.equal(machine.heldBytes, held);
});

test("RFC 5246 §7.2.1: fatal alerts and close_notify end a handshake, warnings do not, and no alert is answered", () => {
  for (const [fragment, ends] of [
    [Uint8Array.of(2, 40), true],
    [Uint8Array.of(1, 0), true],
    [Uint8Array.of(1, 90), false],
    [Uint8Array.of(1, 41), false],
  ] as const) {
    const { machine } = tryServer(encodeClientHello(goodHello));
    const effects = machine.step({ kind: "record", type: ContentType.alert, epoch: 0, fragment }, 0);
    assert.equal(
      effects.some((effect) => effect.kind === "failed" && effect.failure === "alert-received"),
      ends,
    );
    assert.equal(
      effects.some(({ kind }) => kind === "send"),
      false,
    );
  }
});

test("RFC 6347 §4.1.2.7: after the peer's ChangeCipherSpec a plain alert is somebody else's", () => {
  const { machine } = tryServer(encodeClientHello(goodHello));
  machine.step({ kind: "record", type: ContentType.changeCipherSpec, epoch: 0, fragment: Uint8Array.of(1) }, 0);
  const alert = { kind: "record", type: ContentType.alert, fragment: Uint8Array.of(2, 40) } as const;
  assert.deepEqual(machine.step({ ...alert, epoch: 0 }, 0), []);
  assert.ok(machine.step({ ...alert, epoch: 1 }, 0).some(({ kind }) => kind === "failed"));
});

async function connectedWorld(): Promise<HandshakeWorld> {
  const world = new HandshakeWorld(pskParties());
  world.start();
  await world.clock.advance(1_000);
  assert.deepEqual(world.faults(), []);
  return world;
}

test("RFC 6347 §4.1.2.7: a plain alert cannot touch what is established, a protected one ends the lingering", async () => {
  const world = await connectedWorld();
  world.step("server", { kind: "record", type: ContentType.alert, epoch: 0, fragment: Uint8Array.of(2, 40) });
  assert.equal(world.server.isDone, false);
  world.step("server", { kind: "record", type: ContentType.alert, epoch: 1, fragment: Uint8Array.of(1, 0) });
  assert.deepEqual([world.server.isDone, world.server.failure], [true, undefined]);
});

test("RFC 5746 §4.2: renegotiation is answered by a no_renegotiation warning under the keys, a plain attempt by nothing", async () => {
  const world = await connectedWorld();
  const again = encodeHandshakeMessage(HandshakeType.clientHello, 0, encodeClientHello(goodHello));
  world.step("server", { kind: "record", type: ContentType.handshake, epoch: 0, fragment: again });
  assert.deepEqual(world.server.alerts, []);
  world.step("server", { kind: "record", type: ContentType.handshake, epoch: 1, fragment: again });
  assert.deepEqual([world.server.alerts, world.sent.at(-1)?.records.map(({ epoch }) => epoch)], [[AlertDescription.noRenegotiation], [1]]);
  assert.equal(world.server.isDone, false);
});

test("RFC 5246 §7.4.1.1: HelloRequests before, between and after the server's messages change nothing", async () => {
  const helloRequest: OutgoingRecord = {
    type: ContentType.handshake,
    epoch: 0,
    fragment: encodeHandshakeMessage(HandshakeType.helloRequest, 0, new Uint8Array(0)),
  };
  const forge = ({ from, records }: WireDatagram) =>
    from === "server" ? records.flatMap((each) => [helloRequest, each, helloRequest]) : records;
  const world = await new HandshakeWorld({ ...provenParties("rpk"), forge }).run();
  assert.deepEqual(world.faults(), []);
});

test("RFC 6347 §4.2.1: a server that asks for a cookie a third time is refused", async () => {
  const forge = ({ from, records }: WireDatagram) => {
    const isHello = records.some(({ type, fragment }) => type === ContentType.handshake && fragment[0] === HandshakeType.serverHello);
    if (from !== "server" || !isHello) return records;
    const ask = (sequence: number) =>
      encodeHandshakeMessage(HandshakeType.helloVerifyRequest, sequence, Uint8Array.of(0xfe, 0xff, 1, sequence));
    return [1, 2].map((sequence): OutgoingRecord => ({ type: ContentType.handshake, epoch: 0, fragment: ask(sequence) }));
  };
  const world = await fail({ ...pskParties(), forge });
  assert.deepEqual([world.client.failure, world.client.alerts], ["unexpected-message", [AlertDescription.unexpectedMessage]]);
});

test("the first message changed in any one byte never ends in a connection, nor in an error thrown", async () => {
  const chance = seededRandom(5);
  for (let i = 0; i < 400; i++) {
    const victim = chance.integer(8);
    const at = chance.fraction();
    let index = 0;
    const forge = ({ records }: WireDatagram) =>
      records.map((each) => {
        if (index++ !== victim || each.fragment.length === 0 || each.type === ContentType.changeCipherSpec) return each;
        const fragment = each.fragment.slice();
        const place = Math.floor(at * fragment.length);
        fragment[place] = (fragment[place] ?? 0) ^ (1 + chance.integer(255));
        return { ...each, fragment };
      });
    const world = await new HandshakeWorld({ ...pskParties(), forge, seed: i }).run();
    // What was damaged is repeated whole or ends it; nobody is connected with another view of things.
    const faults = world.faults();
    assert.ok(faults.length === 0 || faults[0] === "not connected", `${i}: ${faults.join()}`);
    assert.equal(world.clock.pendingTimers(), 0);
  }
});

test("secrets are overwritten when it is over", async () => {
  const kept: ResumableSession[] = [];
  const world = await new HandshakeWorld({
    ...pskParties(),
    sessions: { find: () => undefined, keep: (each) => kept.push(each), forget: () => undefined, forgetOf: () => undefined },
  }).run();
  assert.deepEqual(world.faults(), []);
  // The copy for the cache is its own.
  assert.ok(kept[0]?.masterSecret.some((byte) => byte !== 0));
  assert.deepEqual([world.client.machine?.heldBytes, world.server.machine?.heldBytes], [0, 0]);
});

test("a key log is written only where it was asked for, the same line by both sides", () => {
  const lines: string[] = [];
  const logKey = (line: string) => lines.push(line);
  const settings = defaultHandshakeSettings;
  const client = new ClientHandshake({ settings, credentials: pskParties().credentials, random: seededRandom(1), logKey });
  const hello = client.start(0).flatMap((effect) => (effect.kind === "send" ? effect.records : []))[0];
  assert.ok(hello);
  const credentials = { realmOf: () => pskParties().realm };
  const server = new ServerHandshake({ settings, credentials, random: seededRandom(2), verifiedHello: hello.fragment, logKey });
  const toClient = server.start(0).flatMap((effect) => (effect.kind === "send" ? effect.records : []));
  const toServer = toClient
    .flatMap((each) => client.step({ kind: "record", ...each }, 0))
    .flatMap((effect) => (effect.kind === "send" ? effect.records : []));
  for (const each of toServer.filter(({ epoch }) => epoch === 0)) server.step({ kind: "record", ...each }, 0);
  server.step({ kind: "answer", ask: 1, answer: { kind: "psk", key: pskKey } }, 0);
  assert.match(lines[0] ?? "", /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}$/);
  assert.deepEqual(lines, [lines[0], lines[0]]);
});
