import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageView } from "./message-view.ts";
import { MessageWriter } from "./message-writer.ts";

/** CON POST /a with `payloadBytes` of payload, somewhere in a larger array. */
function datagramOf(payloadBytes: number, queryBytes = 0): Uint8Array {
  const writer = new MessageWriter();
  writer.begin(0, 2, 1, new Uint8Array(4));
  writer.text(11, "a");
  if (queryBytes > 0) writer.text(15, "q".repeat(queryBytes));
  writer.payload(Uint8Array.from({ length: payloadBytes }, (_, i) => i));
  return Buffer.concat([Buffer.of(0xee), writer.finish(), Buffer.of(0xee)]).subarray(1, -1);
}

for (const ownsBytes of [false, true]) {
  test(`payload of a datagram that ${ownsBytes ? "was given away" : "is only lent"}: the same bytes, ${ownsBytes ? "its own where it is most of it" : "always a copy"}`, () => {
    const view = new MessageView();
    view.ownsBytes = ownsBytes;
    for (const [payloadBytes, queryBytes, shares] of [
      [1, 0, false],
      [32, 0, false],
      [33, 0, ownsBytes],
      [1_000, 0, ownsBytes],
      [100, 255, false],
    ] as const) {
      const datagram = datagramOf(payloadBytes, queryBytes);
      view.decode(datagram);
      const payload = view.payload();
      assert.equal(Object.getPrototypeOf(payload), Uint8Array.prototype);
      assert.deepEqual(
        [...payload],
        Array.from({ length: payloadBytes }, (_, i) => i & 0xff),
      );
      assert.equal(payload.buffer === datagram.buffer, shares, `${payloadBytes} B`);
    }
    view.decode(Buffer.from("40010001", "hex"));
    assert.equal(view.payload().length, 0);
  });
}

test("a message stays as it is until the next one begins, of the same length or another, short or long", () => {
  const writer = new MessageWriter();
  const lengths = [10, 10, 1_600, 20, 1_600, 10];
  const kept = lengths.map((length, i) => {
    writer.begin(1, 0x45, i, new Uint8Array(0));
    writer.payload(new Uint8Array(length).fill(i));
    return Buffer.from(writer.finish()).toString("hex");
  });
  for (const [i, hex] of kept.entries()) {
    assert.equal(hex.slice(0, 12), `5045000${i}ff0${i}`);
    assert.equal(hex.length, (5 + (lengths[i] ?? 0)) * 2);
  }
});
