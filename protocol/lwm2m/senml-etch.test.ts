import assert from "node:assert/strict";
import { test } from "node:test";
import { ContentFormat } from "../coap/content-formats.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { formatPath, parsePath } from "./path.ts";
import { decodePayload, encodePayload } from "./payload.ts";
import { type DecodeContext, unassignedInstanceId } from "./payload-contract.ts";
import { float, integer, node, receivedAtMs, typeOf } from "./payload-vectors.ts";
import { type CompositePath, decodePathList, encodePathList, pathListFormats } from "./senml-etch.ts";

const context: DecodeContext = { typeOf, nowMs: receivedAtMs };

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

function texts(paths: readonly CompositePath[]): readonly string[] {
  return paths.map((path) => (path === "/" ? path : formatPath(path)));
}

test("LwM2M Core 1.1 §6.3.7: a Read-Composite list, with base names, and of the root", () => {
  const list = '[{"bn":"/3/0/","n":"9"},{"n":"6/1"},{"bn":"/3303","n":""},{"bn":"","n":"/4/0"}]';
  for (const format of [ContentFormat.senmlJson, ContentFormat.senmlEtchJson]) {
    assert.deepEqual(texts(decodePathList(format, bytesOf(list), context)), ["/3/0/9", "/3/0/6/1", "/3303", "/4/0"]);
    assert.deepEqual(texts(decodePathList(format, bytesOf('[{"n":"/"}]'), context)), ["/"]);
    assert.deepEqual(decodePathList(format, bytesOf("[]"), context), []);
  }
});

test("RFC 8790 §3.1: path lists survive every format, below a root path as well", () => {
  const paths: readonly CompositePath[] = [parsePath("/3/0/9"), parsePath("/3303"), "/", parsePath("/3/0/7/1")];
  for (const format of pathListFormats) {
    for (const rootPath of [undefined, "/lwm2m"]) {
      const root = rootPath === undefined ? {} : { rootPath };
      const bytes = encodePathList(format, paths, root);
      assert.deepEqual(decodePathList(format, bytes, { ...context, ...root }), paths);
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decodePathList(format, bytes.subarray(0, length), { ...context, ...root }), Lwm2mFormatError);
      }
    }
  }
  assert.equal(Buffer.from(encodePathList(ContentFormat.senmlEtchCbor, [parsePath("/3/0")])).toString("hex"), "81a100642f332f30");
});

test("RFC 8790 §3.1: a value has no place in a path list, no value none in a patch", () => {
  assert.throws(() => decodePathList(ContentFormat.senmlJson, bytesOf('[{"n":"/3/0/9","v":1}]'), context), { code: "senml" });
  assert.throws(() => decodePathList(ContentFormat.tlv, bytesOf(""), context), { code: "unsupported-format" });
  assert.throws(() => decodePayload(ContentFormat.senmlEtchJson, bytesOf('[{"n":"/3/0/6"}]'), context), { code: "senml" });
});

test("RFC 8790 §3.2: a patch in both forms, null for what goes", () => {
  const changes = [node("/3/0/6/1"), node("/3303/0/5700", float(1.5)), node("/3/0/9", integer(5n))];
  for (const format of [ContentFormat.senmlEtchJson, ContentFormat.senmlEtchCbor]) {
    assert.deepEqual(decodePayload(format, encodePayload(format, changes, context), context), changes);
  }
});

test("LwM2M Core 1.2 §7.4.6: LwM2M CBOR with keys relative to the request, as 1.2.0 allowed", () => {
  const seen: string[] = [];
  const relative = new Uint8Array(Buffer.from("a2091864061a00000001", "hex"));
  const asked = { ...context, path: parsePath("/3/0") };
  const decoded = decodePayload(ContentFormat.lwm2mCbor, relative, { ...asked, onTolerance: (code) => seen.push(code) });
  assert.deepEqual(texts(decoded.map(({ path }) => path)), ["/3/0/9", "/3/0/6/0"]);
  assert.deepEqual(seen, ["cbor-relative-keys", "single-value-for-multiple"]);
  assert.throws(() => decodePayload(ContentFormat.lwm2mCbor, relative, { ...asked, strict: true }), { code: "path" });
});

test("LwM2M Core 1.2.1 §7.4.6: instance 65535 is the one to be assigned; elsewhere it is reserved", () => {
  const created = [{ path: { objectId: 3303, instanceId: unassignedInstanceId, resourceId: 5700 }, value: float(1.5) }];
  const asked = { ...context, path: parsePath("/3303") };
  assert.deepEqual(decodePayload(ContentFormat.lwm2mCbor, encodePayload(ContentFormat.lwm2mCbor, created, asked), asked), created);
  for (const hex of [
    "a103a100a119ffff01",
    "a119ffff01",
    "a103a100a1200a",
    "a103a100a1818101",
    "a18001",
    "a1850102030405a0",
    "a203a0030a",
    "a2820300a10901830300090a",
    "a1616101",
    "01",
    "80",
  ]) {
    assert.throws(
      () => decodePayload(ContentFormat.lwm2mCbor, new Uint8Array(Buffer.from(hex, "hex")), { ...context, strict: true }),
      Lwm2mFormatError,
      hex,
    );
  }
});
