/** One cell of the matrix in each role of ours: the connection is made as wished, and everything that can be seen of it is checked. */
import assert from "node:assert/strict";
import type { HandshakeFailure } from "@lwm2m/protocol/dtls/handshake-contract";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { certificates, clientPsk, ourClientCredentials, rawKeys } from "./credentials.ts";
import type { KeyFiles } from "./platform/key-files.ts";
import { loopback, OurDtls } from "./platform/our-dtls.ts";
import type { DtlsPeer, PeerClient, PeerServer } from "./platform/peer.ts";
import { type Fault, type FeatureName, features, mustFail, type Wish } from "./wish.ts";

const applicationData = 23;
const alert = 21;
const withConnectionId = 25;

/** How a handshake that must not come about has to end at our side; a peer that only falls silent is given up. */
const failures: { readonly [fault in Fault | "no-ems"]: readonly HandshakeFailure[] } = {
  "wrong-key": ["psk-mismatch", "alert-received"],
  "unknown-identity": ["psk-mismatch", "alert-received"],
  "we-refuse-unknown": ["certificate-refused"],
  "peer-refuses-unknown": ["alert-received", "timeout"],
  "we-refuse-expired": ["certificate-refused"],
  "peer-refuses-expired": ["alert-received", "timeout"],
  "no-ems": ["no-common-parameters"],
};

/** The peer connects to us. */
export async function serveCell(peer: DtlsPeer, feature: FeatureName, files: KeyFiles): Promise<void> {
  const wished = features[feature];
  const wish = peer.neverHasEms && feature !== "ems-required" ? { ...wished, weRequireEms: false } : wished;
  const ours = (await OurDtls.server(wish)).echo(wish);
  const client = peer.connect?.(ours.port, wish, files);
  assert.ok(client, "the peer has no client");
  try {
    if (mustFail(wish)) await checkRefusedAsServer(ours, wish);
    else await checkServed(ours, client, wish, feature);
  } catch (error) {
    throw told(error, ours, client);
  } finally {
    await client.kill();
    await ours.close();
  }
}

async function checkServed(ours: OurDtls, client: PeerClient, wish: Wish, feature: FeatureName): Promise<void> {
  for (const line of saidBy(wish, client)) await client.receivedEcho(line);
  await client.end();
  for (let nth = 1; nth <= wish.connections; nth++) {
    const { cipherSuite, resumed } = await ours.tells("connected", nth);
    assert.deepEqual([cipherSuite, resumed], [wish.suite, nth > 1]);
  }
  // Its attempt at one byte too much, before each answer, stayed here.
  if (wish.recordSize !== undefined) assert.equal(ours.endpoint.counters["sendTooLarge"], ours.heard.length);
  for (const { from } of ours.heard) checkIdentity(from, wish, "client");
  if (wish.serverName !== undefined) assert.equal(ours.asked.at(-1), wish.serverName);
  if (feature === "close-notify") assert.equal((await ours.tells("closed")).reason, "close-notify");
  checkRecords(ours, wish);
}

/** ssl_client2 says its first line each time. */
function saidBy({ lines }: Wish, client: PeerClient): readonly string[] {
  return client.saysFirstOnly === true ? lines.slice(0, 1) : lines;
}

async function checkRefusedAsServer(ours: OurDtls, wish: Wish): Promise<void> {
  const { failure } = await ours.tells("handshake-failed");
  assert.ok(failures[wish.fault ?? "no-ems"].includes(failure), failure);
  assert.equal(ours.news.filter(({ kind }) => kind === "connected").length, 0);
  assert.deepEqual(ours.texts, []);
}

/** We connect to the peer. */
export async function connectCell(peer: DtlsPeer, feature: FeatureName, files: KeyFiles): Promise<void> {
  const wish = features[feature];
  const server = await peer.serve?.(wish, files);
  assert.ok(server, "the peer has no server");
  const ours = (await OurDtls.client(wish)).onText();
  try {
    if (mustFail(wish)) await checkRefusedAsClient(ours, server, wish);
    else await checkConnected(ours, server, wish, feature);
  } catch (error) {
    throw told(error, ours, server);
  } finally {
    await server.kill();
    await ours.close();
  }
}

async function checkConnected(ours: OurDtls, server: PeerServer, wish: Wish, feature: FeatureName): Promise<void> {
  const credentials = ourClientCredentials(wish);
  for (let nth = 1; nth <= wish.connections; nth++) {
    const to = await ours.endpoint.connect({ address: loopback, port: server.port }, credentials);
    const { cipherSuite, resumed } = await ours.tells("connected", nth);
    assert.deepEqual([cipherSuite, resumed], [wish.suite, nth > 1]);
    checkIdentity(to, wish, "server");
    if (wish.recordSize !== undefined) checkLimit(ours, to, wish.recordSize);
    for (const line of wish.lines) {
      const before = ours.heard.length;
      if (wish.weSendEmpty) ours.say(to, "");
      // Programs that read by the line need its end.
      const say = (): void => ours.say(to, `${line}\n`);
      say();
      await server.answer?.(line);
      const isAnswer = (words: string): boolean => ours.heard.length > before && server.isAnswer(line, words);
      await ours.hears(`the answer to ${line}`, isAnswer, wish.weSendEmpty === true ? say : undefined);
    }
    ours.endpoint.disconnect(to.association?.key ?? 0);
  }
  if (feature === "close-notify") await server.closed?.();
  checkRecords(ours, wish);
}

async function checkRefusedAsClient(ours: OurDtls, server: PeerServer, wish: Wish): Promise<void> {
  const connecting = ours.endpoint.connect({ address: loopback, port: server.port }, ourClientCredentials(wish));
  await assert.rejects(connecting, (error: unknown) => error instanceof Error && error.name === "DtlsError");
  const { failure } = await ours.tells("handshake-failed");
  assert.ok(failures[wish.fault ?? "no-ems"].includes(failure), failure);
}

/** What the peer proved is what we hand upwards. */
function checkIdentity({ association }: SocketAddress, wish: Wish, peerRole: "server" | "client"): void {
  const identity = association?.identity;
  switch (wish.credential) {
    case "psk":
      assert.ok(identity?.kind === "psk");
      assert.equal(Buffer.from(identity.identity).toString(), clientPsk(wish).identity);
      return;
    case "raw-keys":
      assert.ok(identity?.kind === "rpk");
      assert.deepEqual(Buffer.from(identity.publicKey), Buffer.from(rawKeys[peerRole].publicKey));
      return;
    case "server-certificate":
      if (peerRole === "client") {
        assert.equal(identity, undefined);
        return;
      }
  }
  assert.ok(identity?.kind === "x509");
  assert.deepEqual(Buffer.from(identity.certificate), Buffer.from(certificates[peerRole].certificate));
}

/** Which records carry connection ids, and how long they are (RFC 9146 §4, RFC 6066 §4, RFC 8449 §4). */
function checkRecords(ours: OurDtls, { ourId, peerId, recordSize }: Wish): void {
  const protectedOnes = ours.records.filter(({ epoch }) => epoch === 1);
  const negotiated = ourId !== undefined && peerId !== undefined;
  for (const { outgoing, type } of protectedOnes) {
    const hasId = negotiated && (outgoing ? peerId : ourId) > 0;
    assert.equal(type === withConnectionId, hasId, `a record of type ${type}, ${outgoing ? "sent" : "received"}`);
  }
  assert.ok(protectedOnes.some(({ type }) => type === (negotiated ? withConnectionId : applicationData)) || (negotiated && ourId === 0));
  if (recordSize === undefined) return;
  const overhead = 16;
  assert.deepEqual(
    ours.records.filter(({ lengthBytes }) => lengthBytes > recordSize + overhead),
    [],
  );
}

/** A limit that was agreed is one we keep. */
function checkLimit(ours: OurDtls, to: SocketAddress, recordSize: number): void {
  ours.say(to, "x".repeat(recordSize + 1));
  assert.equal(ours.endpoint.counters["sendTooLarge"], 1);
}

function told(error: unknown, ours: OurDtls, peer: { transcript(): string }): Error {
  const records = ours.records.map(
    ({ outgoing, type, epoch, lengthBytes }) => `${outgoing ? ">" : "<"}${type === alert ? "ALERT" : type}/${epoch}:${lengthBytes}`,
  );
  const news = ours.news.map((each) => JSON.stringify(each));
  const message = error instanceof Error ? error.message : String(error);
  return new Error(`${message}\n--- our news\n${news.join("\n")}\n--- records\n${records.join(" ")}\n${peer.transcript()}`, {
    cause: error,
  });
}
