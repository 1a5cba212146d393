import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectDefinition, ResourceDefinition } from "@lwm2m/object-registry/definition";
import { formatCode } from "@lwm2m/protocol/coap/codes";
import { formatPath, parsePath } from "@lwm2m/protocol/lwm2m/path";
import { unassignedInstanceId } from "@lwm2m/protocol/lwm2m/payload-contract";
import type { PathValue, ResourceValue } from "@lwm2m/protocol/lwm2m/value";
import { float, integer, integerValue, text, textValue } from "../objects/values.ts";
import { execute } from "./execute.ts";
import { type Instance, ObjectTree, several, type TreeChange } from "./object-tree.ts";
import { read } from "./read.ts";
import { create, remove, type WriteMode, write } from "./write.ts";

/** An object with a resource of every kind: 0 RW mandatory, 1 RW multiple, 2 R, 3 W, 4 E, 5 RW optional. */
const resources: readonly ResourceDefinition[] = [
  { id: 0, name: "name", operations: "RW", multiple: false, mandatory: true, type: "string" },
  { id: 1, name: "levels", operations: "RW", multiple: true, mandatory: false, type: "integer", range: "0..100" },
  { id: 2, name: "reading", operations: "R", multiple: false, mandatory: true, type: "float" },
  { id: 3, name: "secret", operations: "W", multiple: false, mandatory: false, type: "opaque" },
  { id: 4, name: "go", operations: "E", multiple: false, mandatory: false, type: undefined },
  { id: 5, name: "limit", operations: "RW", multiple: false, mandatory: false, type: "integer" },
  { id: 6, name: "not implemented", operations: "RW", multiple: false, mandatory: false, type: "integer" },
];

const definition: ObjectDefinition = {
  id: 500,
  name: "test",
  version: "1.0",
  urn: "urn:oma:lwm2m:x:500",
  multiple: true,
  mandatory: false,
  resources: new Map(resources.map((resource) => [resource.id, resource])),
};

function aTree(): { readonly tree: ObjectTree; readonly changes: TreeChange[] } {
  const tree = new ObjectTree();
  const born = (): Instance => new Map([[0, text("new")]]);
  const first: Instance = new Map([
    [0, text("first")],
    [1, several([integerValue(10), integerValue(20)])],
    [2, float(1.5)],
    [5, integer(7)],
  ]);
  tree.add(
    definition,
    { supported: new Set([0, 1, 2, 3, 4, 5]), newInstance: born, deletable: true, execute: () => ({ ok: true }) },
    new Map([[0, first]]),
  );
  const changes: TreeChange[] = [];
  tree.onChange((change) => changes.push(change));
  return { tree, changes };
}

const at = (path: string, value?: ResourceValue): PathValue => ({ path: parsePath(path), ...(value === undefined ? {} : { value }) });
const codeOf = (outcome: { readonly ok: true } | { readonly ok: false; readonly code: number }): string =>
  outcome.ok ? "done" : formatCode(outcome.code);
const shown = (tree: ObjectTree, path: string): readonly string[] => {
  const outcome = read(tree, parsePath(path));
  if (!outcome.ok) return [formatCode(outcome.code)];
  return outcome.values.map((each) => `${formatPath(each.path)}=${each.value?.value ?? ""}`);
};

test("LwM2M Core 1.1 §6.3.1: read at every level skips what cannot be read", () => {
  const { tree } = aTree();
  const all = ["/500/0/0=first", "/500/0/1/0=10", "/500/0/1/1=20", "/500/0/2=1.5", "/500/0/5=7"];
  assert.deepEqual(shown(tree, "/500"), all);
  assert.deepEqual(shown(tree, "/500/0"), all);
  assert.deepEqual(shown(tree, "/500/0/1"), ["/500/0/1/0=10", "/500/0/1/1=20"]);
  assert.deepEqual(shown(tree, "/500/0/1/1"), ["/500/0/1/1=20"]);
  const failures = {
    "/500/0/3": "4.05",
    "/500/0/4": "4.05",
    "/500/0/6": "4.04",
    "/500/0/9": "4.04",
    "/500/0/1/9": "4.04",
    "/500/0/0/0": "4.05",
    "/500/9": "4.04",
    "/501": "4.04",
  };
  for (const [path, code] of Object.entries(failures)) assert.deepEqual(shown(tree, path), [code], path);
});

interface WriteRow {
  readonly title: string;
  readonly path: string;
  readonly mode: WriteMode;
  readonly values: readonly PathValue[];
  readonly outcome: string;
  readonly after?: readonly string[];
}

const untouched = ["/500/0/0=first", "/500/0/1/0=10", "/500/0/1/1=20", "/500/0/2=1.5", "/500/0/5=7"];
const name = at("/500/0/0", textValue("second"));
const level = (id: number, value: number) => at(`/500/0/1/${id}`, integerValue(value));

const writes: readonly WriteRow[] = [
  {
    title: "replace of a resource",
    path: "/500/0/0",
    mode: "replace",
    values: [name],
    outcome: "done",
    after: ["/500/0/0=second", ...untouched.slice(1)],
  },
  {
    title: "replace of an instance drops what it does not name, but not what only the device sets",
    path: "/500/0",
    mode: "replace",
    values: [name],
    outcome: "done",
    after: ["/500/0/0=second", "/500/0/2=1.5"],
  },
  {
    title: "replace of an instance without a mandatory resource",
    path: "/500/0",
    mode: "replace",
    values: [at("/500/0/5", integerValue(1))],
    outcome: "4.00",
  },
  {
    title: "partial update keeps the rest",
    path: "/500/0",
    mode: "update",
    values: [at("/500/0/5", integerValue(1))],
    outcome: "done",
    after: [...untouched.slice(0, 4), "/500/0/5=1"],
  },
  {
    title: "replace of a multi-instance resource",
    path: "/500/0/1",
    mode: "replace",
    values: [level(7, 70)],
    outcome: "done",
    after: ["/500/0/0=first", "/500/0/1/7=70", "/500/0/2=1.5", "/500/0/5=7"],
  },
  {
    title: "partial update of a multi-instance resource",
    path: "/500/0/1",
    mode: "update",
    values: [level(1, 21), level(7, 70)],
    outcome: "done",
    after: ["/500/0/0=first", "/500/0/1/0=10", "/500/0/1/1=21", "/500/0/1/7=70", "/500/0/2=1.5", "/500/0/5=7"],
  },
  {
    title: "a multi-instance resource emptied",
    path: "/500/0/1",
    mode: "replace",
    values: [at("/500/0/1")],
    outcome: "done",
    after: ["/500/0/0=first", "/500/0/1=", "/500/0/2=1.5", "/500/0/5=7"],
  },
  {
    title: "one resource instance",
    path: "/500/0/1/0",
    mode: "replace",
    values: [level(0, 11)],
    outcome: "done",
    after: ["/500/0/0=first", "/500/0/1/0=11", "/500/0/1/1=20", "/500/0/2=1.5", "/500/0/5=7"],
  },
  {
    title: "resources the device does not have are left out",
    path: "/500/0",
    mode: "update",
    values: [at("/500/0/6", integerValue(1)), at("/500/0/99", integerValue(1)), name],
    outcome: "done",
    after: ["/500/0/0=second", ...untouched.slice(1)],
  },
  { title: "a wrong type", path: "/500/0/0", mode: "replace", values: [at("/500/0/0", integerValue(1))], outcome: "4.00" },
  { title: "out of range", path: "/500/0/1", mode: "update", values: [level(0, 101)], outcome: "4.00" },
  {
    title: "instances of a single resource",
    path: "/500/0/0",
    mode: "replace",
    values: [at("/500/0/0/1", textValue("x"))],
    outcome: "4.00",
  },
  { title: "no value", path: "/500/0/0", mode: "replace", values: [], outcome: "4.00" },
  { title: "read-only", path: "/500/0/2", mode: "replace", values: [at("/500/0/2", { type: "float", value: 1 })], outcome: "4.05" },
  {
    title: "read-only among others: nothing is written",
    path: "/500/0",
    mode: "update",
    values: [name, at("/500/0/2", { type: "float", value: 1 })],
    outcome: "4.05",
  },
  { title: "executable", path: "/500/0/4", mode: "replace", values: [], outcome: "4.05" },
  { title: "an object", path: "/500", mode: "replace", values: [name], outcome: "4.05" },
  { title: "a resource instance where there are none", path: "/500/0/0/0", mode: "replace", values: [name], outcome: "4.05" },
  { title: "an unknown instance", path: "/500/9", mode: "replace", values: [], outcome: "4.04" },
  { title: "an unknown resource", path: "/500/0/9", mode: "replace", values: [], outcome: "4.04" },
  { title: "the security object", path: "/0/0", mode: "replace", values: [], outcome: "4.01" },
];

for (const row of writes) {
  test(`LwM2M Core 1.1 §6.3.3: write, ${row.title}`, () => {
    const { tree } = aTree();
    assert.equal(codeOf(write(tree, parsePath(row.path), row.mode, row.values)), row.outcome);
    assert.deepEqual(shown(tree, "/500/0"), row.after ?? untouched);
  });
}

test("LwM2M Core 1.1 §6.3.3: a write-only value is stored and never read", () => {
  const { tree } = aTree();
  const secret: ResourceValue = { type: "opaque", value: Uint8Array.of(1, 2) };
  assert.equal(codeOf(write(tree, parsePath("/500/0/3"), "replace", [at("/500/0/3", secret)])), "done");
  assert.deepEqual(tree.value(500, 0, 3), secret);
  assert.deepEqual(shown(tree, "/500/0"), untouched);
});

test("LwM2M Core 1.1 §6.3.5: create with and without an id, several at once, all or nothing", () => {
  const { tree, changes } = aTree();
  const unassigned = (resourceId: number, value: ResourceValue): PathValue => ({
    path: { objectId: 500, instanceId: unassignedInstanceId, resourceId },
    value,
  });
  assert.deepEqual(create(tree, 500, [unassigned(0, textValue("a"))]), { ok: true, created: [1] });
  assert.deepEqual(create(tree, 500, [at("/500/7/0", textValue("b")), at("/500/8/0", textValue("c"))]), { ok: true, created: [7, 8] });
  assert.deepEqual(create(tree, 500, []), { ok: true, created: [2] });
  assert.deepEqual(shown(tree, "/500/2"), ["/500/2/0=new"]);
  assert.equal(codeOf(create(tree, 500, [at("/500/9/0", textValue("d")), at("/500/0/0", textValue("e"))])), "4.00");
  assert.deepEqual(shown(tree, "/500/9"), ["4.04"], "the other instance of the request was not created either");
  assert.equal(codeOf(create(tree, 500, [at("/500/9/1/0", integerValue(500))])), "4.00");
  assert.equal(codeOf(create(tree, 501, [])), "4.04");
  assert.equal(codeOf(create(tree, 0, [])), "4.01");
  assert.deepEqual(
    changes.map((change) => change.structure),
    [true, true, true],
  );
});

test("LwM2M Core 1.1 §6.3.5: values only the device may set are ignored in Create", () => {
  const { tree } = aTree();
  create(tree, 500, [at("/500/3/0", textValue("a")), at("/500/3/2", { type: "float", value: 9 })]);
  assert.deepEqual(shown(tree, "/500/3"), ["/500/3/0=a"]);
});

test("LwM2M Core 1.1 §6.3.6: delete an instance or one instance of a resource, nothing else", () => {
  const table = {
    "/500/0/1/1": "done",
    "/500/0/1/9": "4.04",
    "/500/0/1": "4.05",
    "/500/0/0": "4.05",
    "/500": "4.05",
    "/500/4": "4.04",
    "/0/0": "4.01",
    "/500/0": "done",
  };
  for (const [path, outcome] of Object.entries(table)) assert.equal(codeOf(remove(aTree().tree, parsePath(path))), outcome, path);
  const { tree } = aTree();
  remove(tree, parsePath("/500/0/1/1"));
  assert.deepEqual(shown(tree, "/500/0/1"), ["/500/0/1/0=10"]);
  remove(tree, parsePath("/500/0"));
  assert.deepEqual(shown(tree, "/500"), []);
});

test("LwM2M Core 1.1 §6.3.4: execute", () => {
  const table = [
    ["/500/0/4", "", "done"],
    ["/500/0/4", "0='x',2", "done"],
    ["/500/0/4", "hello", "4.00"],
    ["/500/0/0", "", "4.05"],
    ["/500/0", "", "4.05"],
    ["/500", "", "4.05"],
    ["/500/0/9", "", "4.04"],
    ["/500/9/4", "", "4.04"],
    ["/0/0/4", "", "4.01"],
  ] as const;
  for (const [path, argument, outcome] of table)
    assert.equal(codeOf(execute(aTree().tree, parsePath(path), argument)), outcome, `${path} ${argument}`);
});

test("object tree: a value set to what it is changes nothing", () => {
  const { tree, changes } = aTree();
  tree.set(
    500,
    0,
    new Map([
      [2, float(1.5)],
      [1, several([integerValue(10), integerValue(20)])],
    ]),
  );
  assert.equal(changes.length, 0);
  tree.set(
    500,
    0,
    new Map([
      [2, float(2.5)],
      [5, integer(7)],
    ]),
  );
  assert.deepEqual(
    changes.map((change) => change.paths.map(formatPath)),
    [["/500/0/2"]],
  );
});
