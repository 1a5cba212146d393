/** Whatever a client may say to a server before it has proved itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { AlertDescription, ContentType, HandshakeType, ProtocolVersion } from "../constants.ts";
import type { ResumableSession } from "../credentials-contract.ts";
import { defaultHandshakeSettings } from "../handshake-contract.ts";
import type { HelloExtensions } from "../messages.ts";
import { pskIdentity, pskKey } from "../testing/handshake-parties.ts";
import { decodeServerHello, encodeClientHello } from "../wire/handshake-codec.ts";
import { encodeHandshakeFragment, encodeHandshakeMessage, readHandshakeFragments } from "../wire/handshake-header.ts";
import { goodHello } from "./handshake-fixture.ts";
import { ServerHandshake } from "./server-handshake.ts";

const random = seededRandom(3);

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
