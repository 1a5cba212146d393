import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../testing/seeded-random.ts";
import { AlertDescription, ContentType } from "../constants.ts";
import { bytesOf } from "../testing/recorded-messages.ts";
import { recordedConnections } from "../testing/recorded-vectors.ts";
import { decodeAlert, encodeAlert } from "./alert.ts";
import { DtlsFormatError } from "./format-error.ts";
import { encodeHandshakeFragment, encodeHandshakeMessage, readHandshakeFragments } from "./handshake-header.ts";
import { largestFragmentBytes, largestSequence, RecordView, writeConnectionIdHeader, writeRecordHeader } from "./record-header.ts";

const random = seededRandom(4_126);

test("RFC 6347 §4.1: a plain header, byte by byte, both ways, with sequence numbers up to 48 bits", () => {
  for (const [sequence, hex] of [
    [0, "000000000000"],
    [1, "000000000001"],
    [0xffff_ffff, "0000ffffffff"],
    [2 ** 32, "000100000000"],
    [0x0102_0304_0506, "010203040506"],
    [largestSequence, "ffffffffffff"],
  ] as const) {
    const datagram = new Uint8Array(20).fill(0xee);
    assert.equal(writeRecordHeader(datagram, 2, { type: ContentType.alert, epoch: 0x0a0b, sequence }, 2), 15);
    assert.equal(Buffer.from(datagram).toString("hex"), `eeee15fefd0a0b${hex}0002eeeeeeeeee`);
    const view = new RecordView();
    assert.equal(view.read(datagram, 2, 8), 17);
    const expected = { type: 21, version: 0xfefd, epoch: 0x0a0b, sequence, headerAt: 2, connectionIdAt: 13, connectionIdBytes: 0 };
    assert.deepEqual({ ...view }, { ...expected, fragmentAt: 15, fragmentBytes: 2 });
  }
  const out = new Uint8Array(13);
  writeRecordHeader(out, 0, { type: ContentType.handshake, epoch: 0, sequence: 0, version: 0xfeff }, 0);
  assert.equal(Buffer.from(out).toString("hex"), "16feff00000000000000000000");
});

test("RFC 9146 §4: a header with connection id, byte by byte, both ways", () => {
  const datagram = new Uint8Array(22).fill(0xee);
  assert.equal(writeConnectionIdHeader(datagram, 1, { epoch: 1, sequence: 0x0102_0304_0506, connectionId: bytesOf("c1c2c3") }, 4), 17);
  assert.equal(Buffer.from(datagram).toString("hex"), "ee19fefd0001010203040506c1c2c30004eeeeeeeeee");
  const view = new RecordView();
  assert.equal(view.read(datagram, 1, 3), 21);
  const expected = {
    type: 25,
    version: 0xfefd,
    epoch: 1,
    sequence: 0x0102_0304_0506,
    headerAt: 1,
    connectionIdAt: 12,
    connectionIdBytes: 3,
  };
  assert.deepEqual({ ...view }, { ...expected, fragmentAt: 17, fragmentBytes: 4 });
});

test("RFC 9146 §4: without an id of our own a tls12_cid record is none", () => {
  const datagram = new Uint8Array(40);
  const end = writeConnectionIdHeader(datagram, 0, { epoch: 1, sequence: 1, connectionId: new Uint8Array(0) }, 4) + 4;
  assert.equal(new RecordView().read(datagram.subarray(0, end), 0, 0), -1);
});

test("RFC 6347 §4.1, RFC 5246 §6.2.3: recorded datagrams cut at every byte end in a record or in -1, never beyond their end", () => {
  const view = new RecordView();
  for (const { datagrams, idBytes } of recordedConnections) {
    for (const line of datagrams) {
      const datagram = bytesOf(line.slice(2));
      const own = line.startsWith(">") ? idBytes.server : idBytes.client;
      const ends = recordEnds(datagram, own);
      assert.equal(ends.at(-1), datagram.length);
      for (let length = 0; length < datagram.length; length++) {
        const found = recordEnds(datagram.subarray(0, length), own);
        assert.deepEqual(found, ends.filter((end) => end <= length).concat(ends.includes(length) || length === 0 ? [] : [-1]));
      }
    }
  }
  const tooLong = new Uint8Array(20_000);
  writeRecordHeader(tooLong, 0, { type: ContentType.applicationData, epoch: 1, sequence: 1 }, largestFragmentBytes + 1);
  assert.equal(view.read(tooLong, 0, 0), -1);
  writeRecordHeader(tooLong, 0, { type: ContentType.applicationData, epoch: 1, sequence: 1 }, largestFragmentBytes);
  assert.equal(view.read(tooLong, 0, 0), 13 + largestFragmentBytes);
});

/** Where each record of a datagram ends; -1 last when bytes are left that are none. */
function recordEnds(datagram: Uint8Array, ownIdBytes: number): number[] {
  const view = new RecordView();
  const ends: number[] = [];
  for (let at = 0; at >= 0 && at < datagram.length; ) {
    at = view.read(datagram, at, ownIdBytes);
    ends.push(at);
  }
  return ends;
}

test("RFC 6347 §4.1.2.7: 100,000 random datagrams: every record found lies inside its datagram", () => {
  let found = 0;
  for (let i = 0; i < 100_000; i++) {
    const datagram = random.bytes(random.integer(60));
    const view = new RecordView();
    // A length that is likely enough to fit.
    if (datagram.length > 12) datagram[11] = 0;
    const end = view.read(datagram, 0, 8);
    if (end < 0) continue;
    found++;
    assert.equal(view.fragmentAt + view.fragmentBytes, end);
    assert.ok(end <= datagram.length && view.fragmentAt >= 13);
  }
  assert.ok(found > 1_000, `${found} records`);
});

test("RFC 6347 §4.2.2: a handshake header, byte by byte, whole and in fragments", () => {
  const whole = encodeHandshakeMessage(20, 0x0102, bytesOf("a1a2a3"));
  assert.equal(Buffer.from(whole).toString("hex"), "140000030102000000000003a1a2a3");
  const fragment = { type: 11, length: 0x010203, sequence: 7, fragmentOffset: 0x000102, bytes: bytesOf("b1b2") };
  assert.equal(Buffer.from(encodeHandshakeFragment(fragment)).toString("hex"), "0b0102030007000102000002b1b2");
  const both = Uint8Array.of(...whole, ...encodeHandshakeFragment(fragment));
  assert.deepEqual(readHandshakeFragments(both), [
    { type: 20, length: 3, sequence: 0x0102, fragmentOffset: 0, bytes: bytesOf("a1a2a3") },
    fragment,
  ]);
});

test("RFC 6347 §4.2.3: a record cut anywhere inside its fragments, without any, or with a fragment beyond its message is decode_error", () => {
  const [first, second] = [encodeHandshakeMessage(1, 0, random.bytes(9)), encodeHandshakeMessage(14, 1, new Uint8Array(0))];
  const record = Uint8Array.of(...first, ...second);
  for (let length = 0; length < record.length; length++) {
    if (length === first.length) continue;
    assert.throws(() => readHandshakeFragments(record.subarray(0, length)), DtlsFormatError, `cut at ${length}`);
  }
  for (const header of ["01 000002 0000 000001 000002 aabb", "01 000000 0000 ffffff 000000", "01 000001 0000 000000 ffffff aa"]) {
    assert.throws(() => readHandshakeFragments(bytesOf(header)), DtlsFormatError, header);
  }
});

test("RFC 5246 §7.2: an alert is two bytes; close_notify and its like warn, the others are fatal", () => {
  for (const description of Object.values(AlertDescription)) {
    const warns = [0, 90, 100].includes(description);
    assert.deepEqual(decodeAlert(encodeAlert(description)), { level: warns ? 1 : 2, description });
  }
  assert.deepEqual(decodeAlert(Uint8Array.of(2, 200)), { level: 2, description: 200 });
  for (const bad of ["", "02", "020000", "0000", "0300"]) assert.throws(() => decodeAlert(bytesOf(bad)), DtlsFormatError, bad);
});
