import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePath } from "@lwm2m/protocol/lwm2m/path";
import type { PathValue, ResourceValue } from "@lwm2m/protocol/lwm2m/value";
import { openCatalogue } from "./catalogue.ts";
import { parseDdf } from "./ddf-parser.ts";
import type { ObjectDefinition, ResourceDefinition } from "./definition.ts";
import { aDdf, anItem, anObject } from "./testing/ddf-fixtures.ts";
import { type CheckReason, checkOperation, checkValue, checkWrite, type PathOperation, type WriteMode } from "./value-check.ts";

const catalogue = openCatalogue();

function object(id: number, version?: string): ObjectDefinition {
  const found = catalogue.find(id, version);
  if (found === undefined) throw new Error(`no object ${id}`);
  return found;
}

function resource(type: string, range: string): ResourceDefinition {
  const found = parseDdf(aDdf([anObject({ items: [anItem({ type, range })] })]))[0]?.resources.get(1);
  if (found === undefined) throw new Error("no resource 1");
  return found;
}

const int = (value: bigint): ResourceValue => ({ type: "integer", value });
const text = (value: string): ResourceValue => ({ type: "string", value });

test("LwM2M Core 1.1 appendix C: a value has the type of its resource and lies in its range", () => {
  const cases: readonly [ResourceDefinition, ResourceValue, string][] = [
    [resource("Integer", "0..100"), int(100n), "ok"],
    [resource("Integer", "0..100"), int(101n), "value-range 0..100 101"],
    [resource("Integer", "0..100"), { type: "float", value: 1 }, "value-type integer float"],
    [resource("Integer", ""), int(2n ** 63n), `value-range ${-(2n ** 63n)}..${2n ** 63n - 1n} ${2n ** 63n}`],
    [resource("Unsigned Integer", ""), { type: "unsigned", value: 2n ** 64n - 1n }, "ok"],
    [resource("Unsigned Integer", ""), { type: "unsigned", value: -1n }, `value-range 0..${2n ** 64n - 1n} -1`],
    [resource("Float", "-1..1"), { type: "float", value: -1 }, "ok"],
    [resource("Float", "-1..1"), { type: "float", value: Number.NaN }, "value-range -1..1 NaN"],
    [resource("String", "0..4 bytes"), text("abcd"), "ok"],
    [resource("String", "0..4 bytes"), text("ab€"), "value-range 0..4 bytes 5 bytes"],
    [resource("Opaque", "16-32-48 bytes"), { type: "opaque", value: new Uint8Array(32) }, "ok"],
    [resource("Opaque", "16-32-48 bytes"), { type: "opaque", value: new Uint8Array(33) }, "value-range 16,32,48 bytes 33 bytes"],
    [resource("Boolean", "0..1"), { type: "boolean", value: true }, "ok"],
    [resource("Objlnk", ""), { type: "objlnk", value: { objectId: 65_535, instanceId: 65_535 } }, "ok"],
    [resource("", ""), text("a resource the registry gives no type"), "ok"],
  ];
  for (const [definition, value, expected] of cases) {
    const outcome = checkValue(value, definition);
    assert.equal(outcome.ok ? "ok" : `${outcome.reason} ${outcome.expected} ${outcome.got}`, expected);
  }
  const reboot = object(3).resources.get(4);
  assert.ok(reboot !== undefined && !checkValue(int(1n), reboot).ok);
});

test("LwM2M Core 1.1 §6.3: which operation a path of the model allows", () => {
  const cases: readonly [PathOperation, string, "ok" | CheckReason][] = [
    ["read", "/3", "ok"],
    ["read", "/3/0", "ok"],
    ["read", "/3/0/9", "ok"],
    ["read", "/3/0/7/1", "ok"],
    ["read", "/3/0/9/0", "path-not-in-model"],
    ["read", "/3/0/4", "operation-not-allowed"],
    ["read", "/5/0/0", "operation-not-allowed"],
    ["read", "/3/0/999", "path-not-in-model"],
    ["read", "/3/1/9", "path-not-in-model"],
    ["read", "/0/0/0", "operation-not-allowed"],
    ["read", "/21/0", "operation-not-allowed"],
    ["observe", "/3/0/9", "ok"],
    ["observe", "/3/0/4", "operation-not-allowed"],
    ["discover", "/3/0/4", "ok"],
    ["discover", "/3/0/7/1", "operation-not-allowed"],
    ["write", "/3", "operation-not-allowed"],
    ["write", "/1/0", "ok"],
    ["write", "/1/0/1", "ok"],
    ["write", "/3/0/9", "operation-not-allowed"],
    ["writeAttributes", "/3/0/9", "ok"],
    ["execute", "/3/0/4", "ok"],
    ["execute", "/3/0/9", "operation-not-allowed"],
    ["execute", "/3/0", "operation-not-allowed"],
    ["create", "/3303", "ok"],
    ["create", "/3303/0", "operation-not-allowed"],
    ["create", "/3", "operation-not-allowed"],
    ["delete", "/3303/4", "ok"],
    ["delete", "/3303", "operation-not-allowed"],
    ["delete", "/3/0", "operation-not-allowed"],
    ["delete", "/3303/0/5700", "operation-not-allowed"],
    ["delete", "/2/0/2/5", "ok"],
    ["delete", "/3/0/7/1", "operation-not-allowed"],
  ];
  for (const [operation, path, expected] of cases) {
    const outcome = checkOperation(operation, parsePath(path), object(parsePath(path).objectId));
    assert.equal(outcome.ok ? "ok" : outcome.reason, expected, `${operation} ${path}`);
    if (!outcome.ok) assert.equal(outcome.path, path);
  }
});

const node = (path: string, value?: ResourceValue): PathValue => ({ path: parsePath(path), ...(value === undefined ? {} : { value }) });

const completeServer = [node("/1/0/1", int(60n)), node("/1/0/6", { type: "boolean", value: true }), node("/1/0/7", text("U"))];

test("LwM2M Core 1.1 §6.3.3, §6.3.9: what a write, a replace or a create may carry and must", () => {
  const cases: readonly [WriteMode, readonly PathValue[], "ok" | CheckReason, string | undefined][] = [
    ["replace", completeServer, "ok", undefined],
    ["replace", completeServer.slice(1), "mandatory-missing", undefined],
    ["update", completeServer.slice(1), "ok", undefined],
    ["create", [node("/1/0/0", int(7n)), ...completeServer], "ok", undefined],
    ["replace", [node("/1/0/0", int(7n)), ...completeServer], "operation-not-allowed", "/1/0/0"],
    ["bootstrap", [node("/1/0/0", int(7n)), node("/1/0/1", int(60n))], "ok", undefined],
    ["bootstrap", [node("/1/0/0", int(0n))], "value-range", "/1/0/0"],
    ["update", [node("/1/0/1", text("60"))], "value-type", "/1/0/1"],
    ["update", [node("/1/0/99", int(1n))], "path-not-in-model", "/1/0/99"],
    ["update", [node("/1/0/8", int(1n))], "operation-not-allowed", "/1/0/8"],
    ["update", [node("/1/0/1/0", int(1n))], "path-not-in-model", "/1/0/1/0"],
    ["update", [node("/1/0/1")], "value-type", "/1/0/1"],
  ];
  for (const [mode, values, expected, path] of cases) {
    const outcome = checkWrite(values, object(1, "1.1"), mode);
    assert.equal(outcome.ok ? "ok" : outcome.reason, expected, `${mode} ${values.map((value) => JSON.stringify(value.path)).join()}`);
    assert.equal(outcome.ok ? undefined : outcome.path, path);
  }
});

test("LwM2M Core 1.1 §6.3.3: a multi-instance resource takes resource instances, or none", () => {
  const acl = object(2);
  const write = (values: readonly PathValue[]) => checkWrite(values, acl, "update");
  assert.deepEqual(write([node("/2/0/2/0", int(31n)), node("/2/0/2/7", int(1n))]), { ok: true });
  assert.deepEqual(write([node("/2/0/2")]), { ok: true });
  assert.equal(write([node("/2/0/2", int(31n))]).ok, false);
});
