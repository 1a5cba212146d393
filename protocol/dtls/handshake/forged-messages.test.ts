/** Messages that were changed, added or left out on the way: what either side makes of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { AlertDescription, ContentType, HandshakeType, ProtocolVersion } from "../constants.ts";
import type { OutgoingRecord } from "../handshake-contract.ts";
import type { HelloExtensions, ServerHello } from "../messages.ts";
import { provenParties, pskParties } from "../testing/handshake-parties.ts";
import { HandshakeWorld, type WireDatagram, type WorldWish } from "../testing/handshake-world.ts";
import { decodeServerHello, encodeServerHello } from "../wire/handshake-codec.ts";
import { encodeHandshakeMessage, readHandshakeFragments } from "../wire/handshake-header.ts";
import { fail } from "./handshake-fixture.ts";

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
