import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalogue } from "./catalogue.ts";
import { parseDdf } from "./ddf-parser.ts";
import { pathNames } from "./names.ts";
import { compareVersions, impliedVersion } from "./object-version.ts";
import { composeRegistries, registryOf } from "./registry.ts";
import { aDdf, anItem, anObject } from "./testing/ddf-fixtures.ts";
import { nearestDefinition, typeLookup } from "./type-lookup.ts";

const tank = (version: string, type: string) =>
  parseDdf(aDdf([anObject({ versions: `<ObjectVersion>${version}</ObjectVersion>`, items: [anItem({ type })] })]));

test("LwM2M Core 1.1 §7.2: versions are ordered by number, not by text", () => {
  assert.deepEqual(["1.10", "1.9", "2.0", "1.0"].toSorted(compareVersions), ["1.0", "1.9", "1.10", "2.0"]);
});

test("registries as one: the first that has a version wins, versions are united", () => {
  const custom = registryOf([...tank("1.1", "Float"), ...tank("2.0", "Float")]);
  const base = registryOf([...tank("1.0", "Integer"), ...tank("1.1", "Integer")]);
  const both = composeRegistries(custom, base);
  assert.deepEqual(both.versionsOf(33000), ["1.0", "1.1", "2.0"]);
  assert.equal(both.find(33000, "1.1")?.resources.get(1)?.type, "float");
  assert.equal(both.find(33000, "1.0")?.resources.get(1)?.type, "integer");
  assert.equal(both.find(33000)?.version, "2.0");
  assert.equal(both.find(1), undefined);
  assert.deepEqual(
    both.list().map(({ id, version }) => [id, version]),
    [[33000, "2.0"]],
  );
});

test("registries as one follow a part that changes; the list stays the same array until then", () => {
  let own = registryOf(tank("1.0", "Integer"));
  const changing = {
    find: (id: number, v?: string) => own.find(id, v),
    versionsOf: (id: number) => own.versionsOf(id),
    list: () => own.list(),
  };
  const both = composeRegistries(changing, registryOf(tank("1.1", "Float")));
  const before = both.list();
  assert.equal(both.list(), before);
  assert.equal(pathNames(both).find("tank/0/level")?.objectId, 33000);
  own = registryOf(parseDdf(aDdf([anObject({ id: "33001", name: "Silo" })])));
  assert.notEqual(both.list(), before);
  assert.deepEqual(both.versionsOf(33000), ["1.1"]);
  assert.equal(pathNames(both).find("silo/0/level")?.objectId, 33001);
});

test("LwM2M Core 1.1 §7.2: a version nobody knows is read by the newest of its major version, else the newest", () => {
  const registry = registryOf([...tank("1.0", "Integer"), ...tank("1.2", "Time"), ...tank("2.0", "Float")]);
  assert.deepEqual(
    ["1.0", "1.1", "1.9", "2.4", "3.0", "odd"].map((version) => nearestDefinition(registry, 33000, version)?.version),
    ["1.0", "1.2", "1.2", "2.0", "2.0", "2.0"],
  );
  assert.equal(nearestDefinition(registry, 9, "1.0"), undefined);
});

test("LwM2M Core §7.2.2: an object of the enabler without ver has the version of that release, any other 1.0", () => {
  assert.deepEqual(
    ["1.0", "1.1", "1.2"].map((enabler) => [3, 4, 5, 3303].map((id) => impliedVersion(id, enabler))),
    [
      ["1.0", "1.0", "1.0", "1.0"],
      ["1.1", "1.2", "1.0", "1.0"],
      ["1.2", "1.3", "1.1", "1.0"],
    ],
  );
});

test("the types of a device come from the versions it registered, executables have none", () => {
  const registry = composeRegistries(registryOf([...tank("1.0", "Integer"), ...tank("1.1", "Float")]), openCatalogue());
  const typeOf = typeLookup(registry, [{ id: 33000, version: "1.0" }, { id: 3 }], "1.1");
  assert.deepEqual(typeOf(33000, 1), { type: "integer", multiple: false });
  assert.deepEqual(typeOf(3, 7), { type: "integer", multiple: true });
  assert.equal(typeOf(3, 4), undefined);
  assert.equal(typeOf(3, 999), undefined);
  assert.equal(typeOf(64_999, 0), undefined);
  // Not in the list, as the security object never is: the newest version.
  assert.deepEqual(typeOf(0, 0), { type: "string", multiple: false });
});
