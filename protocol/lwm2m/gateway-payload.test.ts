import assert from "node:assert/strict";
import { test } from "node:test";
import { ContentFormat } from "../coap/content-formats.ts";
import { decodeGatewayPayload, encodeGatewayPayload, type GatewayValues } from "./gateway-payload.ts";
import { parsePath } from "./path.ts";
import { decodePayload } from "./payload.ts";
import type { DecodeContext } from "./payload-contract.ts";
import type { PathValue } from "./value.ts";

const context: DecodeContext = {
  typeOf: (_, resourceId) => ({ type: resourceId === 9 ? "integer" : "string", multiple: false }),
  nowMs: 1_700_000_000_000,
};
const percent = (path: string, value: bigint, timeMs?: number): PathValue => ({
  path: parsePath(path),
  value: { type: "integer", value },
  ...(timeMs === undefined ? {} : { timeMs }),
});
const words = (path: string, value: string): PathValue => ({ path: parsePath(path), value: { type: "string", value } });
const { senmlJson, senmlCbor, lwm2mCbor } = ContentFormat;

const groups: GatewayValues = new Map([
  ["", [percent("/3/0/9", 100n)]],
  ["d01", [percent("/3/0/9", 50n), words("/3/0/0", "ACME")]],
  ["d-02", [percent("/3/0/9", 7n)]],
]);

/** LwM2M Core 1.2.1 §7.4.4, §7.4.6; LwM2M Gateway 1.1 §6. */
const vectors: readonly (readonly [number, string])[] = [
  [
    senmlJson,
    Buffer.from('[{"bn":"/3/0/9","v":100},{"bn":"/d01/3/0/","n":"9","v":50},{"n":"0","vs":"ACME"},{"bn":"/d-02/3/0/9","v":7}]').toString(
      "hex",
    ),
  ],
  [senmlCbor, "84a221662f332f302f39021864a321692f6430312f332f302f006139021832a2006130036441434d45a2216b2f642d30322f332f302f390207"],
  [lwm2mCbor, "a303a100a10918648263643031" + "03a100a2091832006441434d45" + "8264642d303203a100a10907"],
];

test("LwM2M Gateway 1.1 §6: names and keys with a prefix, both ways, without loss", () => {
  for (const [format, hex] of vectors) {
    assert.equal(Buffer.from(encodeGatewayPayload(format, groups, context)).toString("hex"), hex, String(format));
    assert.deepEqual(decodeGatewayPayload(format, Buffer.from(hex, "hex"), context), groups, String(format));
  }
});

test("LwM2M Gateway 1.1 §6: a value of a device behind a gateway is never taken for the gateway's own", () => {
  for (const [format, hex] of vectors)
    assert.throws(() => decodePayload(format, Buffer.from(hex, "hex"), context), { name: "Lwm2mFormatError" });
});

test("LwM2M Core 1.2.1 §7.4.6: the prefix alone as an array, with the object below it", () => {
  const payload = Buffer.from("a1816364303" + "1a103a100a1091832", "hex");
  assert.deepEqual(decodeGatewayPayload(lwm2mCbor, payload, context), new Map([["d01", [percent("/3/0/9", 50n)]]]));
});

test("RFC 8428 §4.5: base name, base time and base value of one group do not leak into the next", () => {
  const timed: GatewayValues = new Map([
    ["d01", [percent("/3/0/9", 1n, 1_690_000_000_000), percent("/3/0/9", 2n, 1_690_000_001_000)]],
    ["d02", [percent("/3/0/9", 3n, 1_690_000_005_000)]],
  ]);
  for (const format of [senmlJson, senmlCbor]) {
    assert.deepEqual(decodeGatewayPayload(format, encodeGatewayPayload(format, timed, context), context), timed);
  }
  const pack = '[{"bn":"/d01/3/0/","bt":1690000000,"bv":10,"n":"9","v":1},{"n":"9","v":2,"t":1},{"bn":"/d02/3/0/9","v":3}]';
  assert.deepEqual(
    decodeGatewayPayload(senmlJson, Buffer.from(pack), context),
    new Map([
      ["d01", [percent("/3/0/9", 11n, 1_690_000_000_000), percent("/3/0/9", 12n, 1_690_000_001_000)]],
      ["d02", [percent("/3/0/9", 13n, 1_690_000_000_000)]],
    ]),
  );
});

test("LwM2M Core 1.2.1 §7.4.4: the alternate root stands before the prefix", () => {
  const rooted = { ...context, rootPath: "/lwm2m" };
  const one: GatewayValues = new Map([["d01", [percent("/3/0/9", 50n)]]]);
  const payload = encodeGatewayPayload(senmlJson, one, rooted);
  assert.equal(Buffer.from(payload).toString(), '[{"bn":"/lwm2m/d01/3/0/9","v":50}]');
  assert.deepEqual(decodeGatewayPayload(senmlJson, payload, rooted), one);
});

test("payload: every vector cut at every byte is refused as a format error; so are prefixes that are none", () => {
  for (const [format, hex] of vectors) {
    const bytes = Buffer.from(hex, "hex");
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(
        () => decodeGatewayPayload(format, bytes.subarray(0, length), context),
        { name: "Lwm2mFormatError" },
        `${format} ${length}`,
      );
    }
  }
  for (const name of ["/d 1/3/0/9", "/d01", "/d01/x/0/9", `/${"d".repeat(65)}/3/0/9`, "/d01/d02/3/0/9"]) {
    const pack = Buffer.from(JSON.stringify([{ n: name, v: 1 }]));
    assert.throws(() => decodeGatewayPayload(senmlJson, pack, context), { code: "path" }, name);
  }
  assert.throws(() => encodeGatewayPayload(senmlJson, new Map([["1a", []]]), context), { code: "path" });
  assert.throws(() => decodeGatewayPayload(ContentFormat.tlv, new Uint8Array(), context), { code: "unsupported-format" });
  assert.throws(() => decodeGatewayPayload(lwm2mCbor, Buffer.from("a181636430" + "3105", "hex"), context), { code: "path" });
});
