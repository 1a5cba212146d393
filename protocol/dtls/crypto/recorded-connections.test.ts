import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { systemRandom } from "../../platform/system-random.ts";
import { CertificateType, ContentType, HandshakeType } from "../constants.ts";
import { bytesOf, messagesOf, type RecordedMessage, type RecordedRecord, recordsOf, type Side } from "../testing/recorded-messages.ts";
import { type RecordedConnection, recordedConnections, recordedPsk } from "../testing/recorded-vectors.ts";
import {
  decodeCertificate,
  decodeCertificateVerify,
  decodeClientHello,
  decodeClientKeyExchange,
  decodeFinished,
  decodeServerHello,
  decodeServerKeyExchange,
  signedParameters,
} from "../wire/handshake-codec.ts";
import { encodeHandshakeMessage, readHandshakeFragments } from "../wire/handshake-header.ts";
import { keyLogLine } from "./key-log.ts";
import { nodeRecordProtection } from "./node-record-protection.ts";
import { extendedMasterSecret, type KeyMaterial, keyBlock, pskPremaster, verifyData } from "./prf.ts";
import { type KeyPlace, newRecordFacts, type RecordFacts } from "./record-protection.ts";
import { verify } from "./signature.ts";
import { type Suite, suiteOf } from "./suites.ts";

const finishedBytes = 12;
const protection = nodeRecordProtection({ random: systemRandom });

/** What the messages in the clear settle. */
interface Settled {
  readonly suite: Suite;
  readonly clientRandom: Uint8Array;
  readonly serverRandom: Uint8Array;
  readonly encryptThenMac: boolean;
  readonly draft: boolean;
  /** From the second ClientHello on (RFC 6347 §4.2.1), whole messages. */
  readonly transcript: readonly RecordedMessage[];
}

function settle(messages: readonly RecordedMessage[]): Settled {
  const hellos = messages.filter(({ type }) => type === HandshakeType.clientHello);
  const transcript = messages.slice(messages.indexOf(hellos[1] ?? assert.fail("no second ClientHello")));
  const client = decodeClientHello(hellos[1]?.body ?? assert.fail());
  const server = decodeServerHello(bodyOf(transcript, HandshakeType.serverHello));
  assert.equal(server.extensions.extendedMasterSecret, true);
  return {
    suite: suiteOf(server.cipherSuite) ?? assert.fail(`suite ${server.cipherSuite}`),
    clientRandom: client.random,
    serverRandom: server.random,
    encryptThenMac: server.extensions.encryptThenMac === true,
    draft: server.extensions.connectionIdDraft !== undefined,
    transcript,
  };
}

function bodyOf(messages: readonly RecordedMessage[], type: number, from?: Side): Uint8Array {
  const found = messages.find((message) => message.type === type && (from ?? message.from) === message.from);
  return found?.body ?? assert.fail(`no message of type ${type}`);
}

function wholeOf(message: RecordedMessage): Uint8Array {
  return encodeHandshakeMessage(message.type, message.sequence, message.body);
}

function hashOf(suite: Suite, messages: readonly Uint8Array[]): Uint8Array {
  const hash = createHash(suite.prfHash);
  for (const message of messages) hash.update(message);
  return hash.digest();
}

function masterSecretOf(connection: RecordedConnection, { suite, transcript }: Settled): Uint8Array {
  const noted = connection.masterSecret === undefined ? undefined : bytesOf(connection.masterSecret);
  if (suite.keyExchange !== "psk") return noted ?? assert.fail("no master secret");
  // The session hash ends with ClientKeyExchange (RFC 7627 §3).
  const last = transcript.findIndex(({ type }) => type === HandshakeType.clientKeyExchange);
  const sessionHash = hashOf(suite, transcript.slice(0, last + 1).map(wholeOf));
  const master = extendedMasterSecret(suite.prfHash, pskPremaster(bytesOf(recordedPsk.key)), sessionHash);
  if (noted !== undefined) assert.deepEqual(master, noted);
  return master;
}

function keyPlaceOf(settled: Settled, keys: KeyMaterial, from: Side): KeyPlace {
  const { suite, encryptThenMac } = settled;
  const parts = from === "client" ? [keys.clientMacKey, keys.clientKey, keys.clientIv] : [keys.serverMacKey, keys.serverKey, keys.serverIv];
  const bytes = Buffer.concat(parts);
  return { suite, encryptThenMac, bytes, macKeyAt: 0, keyAt: suite.macKeyBytes, ivAt: suite.macKeyBytes + suite.keyBytes };
}

function factsOf(record: RecordedRecord, draftConnectionId: boolean): RecordFacts {
  const { type, version, epoch, sequence, connectionId } = record;
  const connectionIdBytes = connectionId.length;
  return { ...newRecordFacts(), contentType: type, version, epoch, sequence, connectionId, connectionIdBytes, draftConnectionId };
}

for (const connection of recordedConnections) {
  test(`RFC 5246 §6.2.3, §6.3, §7.4.9, RFC 7627 §4, RFC 9146 §5: ${connection.name}: keys, Finished and what was said come out as recorded`, () => {
    const records = recordsOf(connection);
    const settled = settle(messagesOf(records));
    const { suite, clientRandom, serverRandom, transcript, draft } = settled;
    const master = masterSecretOf(connection, settled);
    const keys = keyBlock(suite, master, clientRandom, serverRandom);
    const said: string[] = [];
    const finished: Uint8Array[] = [];
    // One implementation sends its Finished in two records, to keep to its small default of a path.
    let body: number[] = [];
    // A ticket goes between the two Finished, in the order of everything (RFC 5077 §3.3).
    const isTicket = ({ type }: RecordedMessage): boolean => type === HandshakeType.newSessionTicket;
    const before = transcript.filter((message) => !isTicket(message)).map(wholeOf);
    for (const record of records.filter(({ epoch }) => epoch === 1)) {
      const facts = factsOf(record, draft);
      const out = Buffer.alloc(record.fragment.length);
      const length = protection.open(keyPlaceOf(settled, keys, record.from), facts, record.fragment, 0, record.fragment.length, out, 0);
      assert.ok(length >= 0, `record ${record.sequence} of the ${record.from}`);
      const content = out.subarray(0, length);
      if (facts.contentType === ContentType.applicationData) said.push(`${record.from}: ${content}`);
      if (facts.contentType !== ContentType.handshake) continue;
      body.push(...readHandshakeFragments(content).flatMap(({ bytes }) => [...bytes]));
      if (body.length < finishedBytes) continue;
      const between = record.from === "server" ? transcript.filter(isTicket).map(wholeOf) : [];
      const expected = verifyData(suite.prfHash, master, record.from, hashOf(suite, [...before, ...finished, ...between]));
      assert.deepEqual(decodeFinished(Uint8Array.from(body)), expected, `Finished of the ${record.from}`);
      finished.push(encodeHandshakeMessage(HandshakeType.finished, finishedSequence(transcript, record.from), Uint8Array.from(body)));
      body = [];
    }
    assert.deepEqual(said, ["client: up\n", "server: down\n"]);
    assert.equal(finished.length, 2);
  });
}

test("RFC 8422 §5.4, §5.8: the signatures of recorded certificate handshakes hold over their parameters and transcript, and over nothing else", () => {
  const signed = recordedConnections.filter(({ name }) => /ECDHE_(ECDSA|RSA)/.test(name));
  assert.equal(signed.length, 2);
  for (const connection of signed) {
    const settled = settle(messagesOf(recordsOf(connection)));
    const { suite, clientRandom, serverRandom, transcript } = settled;
    const exchange = decodeServerKeyExchange(bodyOf(transcript, HandshakeType.serverKeyExchange), suite.keyExchange);
    const { signatureScheme = 0, signature = new Uint8Array(0) } = exchange;
    const serverKey = publicKeyOf(transcript, "server");
    const parameters = signedParameters(clientRandom, serverRandom, exchange);
    assert.equal(verify(signatureScheme, serverKey, parameters, signature), true, connection.name);
    assert.equal(verify(signatureScheme, serverKey, signedParameters(serverRandom, clientRandom, exchange), signature), false);
    const at = transcript.findIndex(({ type }) => type === HandshakeType.certificateVerify);
    if (at < 0) continue;
    const proof = decodeCertificateVerify(transcript[at]?.body ?? assert.fail());
    const everything = Buffer.concat(transcript.slice(0, at).map(wholeOf));
    assert.equal(verify(proof.signatureScheme, publicKeyOf(transcript, "client"), everything, proof.signature), true);
    assert.equal(verify(proof.signatureScheme, publicKeyOf(transcript, "client"), everything.subarray(1), proof.signature), false);
  }
});

/** Follows the last message of its side. */
function finishedSequence(transcript: readonly RecordedMessage[], from: Side): number {
  return Math.max(...transcript.filter((message) => message.from === from).map(({ sequence }) => sequence)) + 1;
}

function publicKeyOf(messages: readonly RecordedMessage[], from: Side): Uint8Array {
  const message = decodeCertificate(bodyOf(messages, HandshakeType.certificate, from), CertificateType.x509);
  assert.equal(message.type, CertificateType.x509);
  const [leaf = assert.fail("no certificate")] = "chain" in message ? message.chain : [];
  return new X509Certificate(leaf).publicKey.export({ format: "der", type: "spki" });
}

test("RFC 4279 §2: the recorded clients name the identity of their key", () => {
  for (const connection of recordedConnections.filter(({ name }) => name.includes("PSK"))) {
    const { suite, transcript } = settle(messagesOf(recordsOf(connection)));
    const { pskIdentity } = decodeClientKeyExchange(bodyOf(transcript, HandshakeType.clientKeyExchange), suite.keyExchange);
    assert.equal(Buffer.from(pskIdentity ?? []).toString(), recordedPsk.identity);
  }
});

test("NSS key log format: one CLIENT_RANDOM line of random and master secret in hex", () => {
  const line = keyLogLine(new Uint8Array(32).fill(0xab), new Uint8Array(48).fill(0x0c));
  assert.equal(line, `CLIENT_RANDOM ${"ab".repeat(32)} ${"0c".repeat(48)}`);
});
