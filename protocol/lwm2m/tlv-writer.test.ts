import assert from "node:assert/strict";
import { test } from "node:test";
import { type SeededRandom, seededRandom } from "../testing/seeded-random.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { parsePath } from "./path.ts";
import { node } from "./payload-vectors.ts";
import { encodeTlv } from "./tlv.ts";
import type { PathValue } from "./value.ts";

const context = { typeOf: () => undefined };
const kind = { objectInstance: 0, resourceInstance: 1, multipleResource: 2, resource: 3 } as const;

/** An entry as the specification's table draws it, bytes in front of bytes: slow, and without a writer. */
function entry(of: number, id: number, value: readonly number[]): readonly number[] {
  const { length } = value;
  const idBytes = id > 0xff ? [id >> 8, id & 0xff] : [id];
  const wide = id > 0xff ? 0x20 : 0;
  if (length < 8) return [(of << 6) | wide | length, ...idBytes, ...value];
  if (length < 0x100) return [(of << 6) | wide | 0x08, ...idBytes, length, ...value];
  if (length < 0x10000) return [(of << 6) | wide | 0x10, ...idBytes, length >> 8, length & 0xff, ...value];
  return [(of << 6) | wide | 0x18, ...idBytes, length >> 16, (length >> 8) & 0xff, length & 0xff, ...value];
}

function opaque(length: number, byte: number): { readonly type: "opaque"; readonly value: Uint8Array } {
  return { type: "opaque", value: new Uint8Array(length).fill(byte) };
}

/** A resource with its nodes and its bytes. */
function randomResource(
  random: SeededRandom,
  instance: string,
  id: number,
): { readonly nodes: PathValue[]; readonly bytes: readonly number[] } {
  const length = random.pick([0, 1, 7, 8, 255, 256, random.pick([3, 65_535, 65_536])]);
  if (random.fraction() < 0.6) {
    const value = opaque(length, id);
    return { nodes: [node(`${instance}/${id}`, value)], bytes: entry(kind.resource, id, [...value.value]) };
  }
  const ids = [0, 255, 256, 65_534].slice(0, random.integer(5));
  const nodes = ids.map((each) => node(`${instance}/${id}/${each}`, opaque(length % 300, each & 0xff)));
  const inner = ids.flatMap((each) =>
    entry(
      kind.resourceInstance,
      each,
      Array.from({ length: length % 300 }, () => each & 0xff),
    ),
  );
  const whole = ids.length === 0 || random.fraction() < 0.3 ? [node(`${instance}/${id}`), ...nodes] : nodes;
  return { nodes: whole, bytes: entry(kind.multipleResource, id, inner) };
}

test("LwM2M Core 1.1 §7.4.5: random trees are written as the table of the specification has it, all levels, lengths and widths", () => {
  const seed = 20_261_121;
  const random = seededRandom(seed);
  for (let round = 0; round < 150; round++) {
    const instances = [0, 255, 300].slice(0, 1 + random.integer(3)).map((instanceId) => {
      const resources = [0, 5, 255, 256, 65_534].slice(0, random.integer(6)).map((id) => randomResource(random, `/9/${instanceId}`, id));
      const marker = resources.length === 0 || random.fraction() < 0.3 ? [node(`/9/${instanceId}`)] : [];
      return { instanceId, nodes: [...marker, ...resources.flatMap(({ nodes }) => nodes)], bytes: resources.flatMap(({ bytes }) => bytes) };
    });
    const expected = instances.flatMap(({ bytes, instanceId }) => entry(kind.objectInstance, instanceId, bytes));
    const values = instances.flatMap(({ nodes }) => nodes);
    const message = `seed ${seed}, round ${round}`;
    assert.deepEqual([...encodeTlv(values, { ...context, path: parsePath("/9") })], expected, message);
    const [first] = instances;
    assert.ok(first);
    assert.deepEqual([...encodeTlv(first.nodes, { ...context, path: parsePath("/9/0") })], first.bytes, message);
  }
});

test("LwM2M Core 1.1 §7.4.5: nodes of one parent that do not stand together are written together, where the first of them stands", () => {
  const values = ["/9/1/2/5", "/9/0/3", "/9/1/7", "/9/0/1", "/9/1/2/4", "/9/1"].map((path, i) =>
    node(path, path === "/9/1" ? undefined : opaque(1, i)),
  );
  const multiple = entry(kind.multipleResource, 2, [...entry(kind.resourceInstance, 5, [0]), ...entry(kind.resourceInstance, 4, [4])]);
  const one = entry(kind.objectInstance, 1, [...multiple, ...entry(kind.resource, 7, [2])]);
  const zero = entry(kind.objectInstance, 0, [...entry(kind.resource, 3, [1]), ...entry(kind.resource, 1, [3])]);
  assert.deepEqual([...encodeTlv(values, { ...context, path: parsePath("/9") })], [...one, ...zero]);
});

test("LwM2M Core 1.1 §7.4.5: what a tree cannot hold is refused", () => {
  for (const [path, paths] of [
    ["/9", ["/9"]],
    ["/9/0", ["/9/0/1", "/9/0/1"]],
    ["/9/0", ["/9/0/1/2", "/9/0/1/2"]],
    ["/9/0", ["/9/0/1/2", "/9/0/1/3", "/9/0/1/2"]],
    ["/9/0", ["/9/0/1/2", "/9/0/1"]],
  ] as const) {
    assert.throws(
      () =>
        encodeTlv(
          paths.map((each) => node(each, opaque(1, 1))),
          { ...context, path: parsePath(path) },
        ),
      (error) => error instanceof Lwm2mFormatError && error.code === "value",
      paths.join(),
    );
  }
  const large = [node("/9/0/1", opaque(0x1000000, 1))];
  assert.throws(() => encodeTlv(large, { ...context, path: parsePath("/9/0") }), { code: "limit" });
});
