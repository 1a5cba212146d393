import assert from "node:assert/strict";
import { test } from "node:test";
import { cborUint, readLinks, readSenmlJson, readTlv, tlvInteger, tlvResources, tlvText } from "./wire-payload.ts";

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(" ", ""), "hex");
const utf8 = new TextEncoder();

test("LwM2M Core 1.1 §7.4.5: resources of one instance in TLV, bare and within their instance", () => {
  const resources = bytes("c1 02 65 c2 03 03f2 c8 07 08 5554535153514e51 86 0b 41 00 00 41 01 05");
  const instance = bytes(`08 00 ${resources.length.toString(16)}`);
  for (const payload of [resources, Buffer.concat([instance, resources])]) {
    const read = tlvResources(payload);
    assert.deepEqual([...read.keys()], [2, 3, 7, 11]);
    assert.deepEqual([tlvInteger(read.get(2)), tlvInteger(read.get(3)), tlvText(read.get(7))], [101, 1_010, "UTSQSQNQ"]);
    assert.equal(read.get(11)?.kind, "multiple");
    assert.deepEqual(
      read.get(11)?.inner.map((each) => [each.kind, each.id, tlvInteger(each)]),
      [
        ["resource-instance", 0, 0],
        ["resource-instance", 1, 5],
      ],
    );
  }
});

test("LwM2M Core 1.1 §7.4.5: integers are signed, identifiers and lengths as long as the type says", () => {
  const [entry] = readTlv(bytes("e1 0102 ff"));
  assert.deepEqual([entry?.id, tlvInteger(entry)], [0x0102, -1]);
  assert.equal(readTlv(Buffer.concat([bytes("d0 01 0100"), new Uint8Array(256)]))[0]?.value.length, 256);
  assert.equal(tlvInteger(undefined), undefined);
});

test("LwM2M Core 1.1 §7.4.5: TLV that is cut at any byte is refused", () => {
  const whole = bytes("08 00 0b c1 02 65 82 0b 41 00 c2 03 03f2");
  const complete = bytes("08 00 06 c1 02 65 c1 03 07");
  assert.throws(() => readTlv(whole), RangeError);
  for (let length = 1; length < complete.length; length++)
    assert.throws(() => readTlv(complete.subarray(0, length)), RangeError, String(length));
});

test("RFC 8428 §5.1.1: a SenML pack with base names", () => {
  const pack = utf8.encode('[{"bn":"/1/0/","n":"1","v":86400},{"n":"6","vb":false},{"bn":"/3/0/16","vs":"U"},{"bn":"/3/0/13","v":1.5}]');
  assert.deepEqual(
    [...readSenmlJson(pack)],
    [
      ["/1/0/1", 86_400],
      ["/1/0/6", false],
      ["/3/0/16", "U"],
      ["/3/0/13", 1.5],
    ],
  );
  for (const wrong of ["", "{", '{"n":"/3"}']) assert.throws(() => readSenmlJson(utf8.encode(wrong)), RangeError, wrong);
});

test("RFC 6690 §2: links with quoted and bare attributes", () => {
  const links = readLinks(utf8.encode('</>;rt="oma.lwm2m";ct="60 110",</1/0>,</3/0/7>;dim=2;pmin=10,</3/0/9>;x'));
  assert.deepEqual([...links.keys()], ["/", "/1/0", "/3/0/7", "/3/0/9"]);
  assert.deepEqual(
    [...(links.get("/") ?? [])],
    [
      ["rt", "oma.lwm2m"],
      ["ct", "60 110"],
    ],
  );
  assert.deepEqual([links.get("/3/0/7")?.get("pmin"), links.get("/3/0/9")?.get("x")], ["10", ""]);
  assert.throws(() => readLinks(utf8.encode("nothing")), RangeError);
});

test("RFC 8949 §3.1: unsigned integers of each length", () => {
  const hex = [0, 23, 24, 255, 256, 65_535, 65_536].map((value) => Buffer.from(cborUint(value)).toString("hex"));
  assert.deepEqual(hex, ["00", "17", "1818", "18ff", "190100", "19ffff", "1a00010000"]);
});
