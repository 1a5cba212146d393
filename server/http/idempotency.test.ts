import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import type { Json, StoredDocument } from "../storage/collection.ts";
import { at, type Call } from "../testing/rest.ts";
import { restFleet } from "../testing/rest-fleet.ts";
import { IdempotencyKeys, idempotencyCollection, type Refused } from "./idempotency.ts";

const dayMs = 86_400_000;
const fleet = restFleet();
const post = (address: string, call: Call) => fleet.rest("POST", address, call);
const image = new TextEncoder().encode("firmware");

interface Case {
  readonly address: string;
  readonly call: Call;
  readonly other: Call;
  readonly list: string;
}

/** `other`: a request that the same key must not stand for. */
const cases: { readonly [what: string]: () => Promise<Case> } = {
  "POST /groups": async () => ({
    ...{ address: "/groups", list: "/groups" },
    call: { body: { name: "all", query: { queueMode: true, tags: ["a"] } } },
    other: { body: { name: "all", query: {} } },
  }),
  "POST /groups with members": async () => ({
    ...{ address: "/groups", list: "/groups" },
    call: { body: { members: ["dev"], name: "some" } },
    other: { body: { name: "some" } },
  }),
  "POST /devices": async () => ({
    ...{ address: "/devices", list: "/devices" },
    call: { body: { endpoint: "new" } },
    other: { body: { endpoint: "other" } },
  }),
  "POST /observations": async () => ({
    ...{ address: "/observations", list: "/observations?endpoint=dev" },
    call: { body: { endpoint: "dev", path: "/3303/0/5700" } },
    other: { body: { endpoint: "dev", path: "/3303/0/5701" } },
  }),
  "POST /packages": async () => ({
    ...{ address: "/packages?name=app&version=2", list: "/packages" },
    call: { upload: [image] },
    other: { upload: [new TextEncoder().encode("other bytes")] },
  }),
  "POST /devices/{endpoint}/updates": async () => {
    const made = await post("/packages?name=app&version=1", { upload: [image] });
    const packageId = at(made.body, "id") ?? null;
    return {
      ...{ address: "/devices/dev/updates", list: "/devices/dev/updates" },
      call: { body: { packageId } },
      other: { body: { packageId, expiresAt: "2099-01-01T00:00:00Z" } },
    };
  },
};

const made = async (list: string): Promise<number> => {
  const items = at((await fleet.rest("GET", list)).body, "items");
  assert.ok(Array.isArray(items));
  return items.filter((item: Json) => at(item, "kind") !== "device").length;
};

describe("draft-ietf-httpapi-idempotency-key-header §2: the same key makes one", () => {
  for (const [what, prepare] of Object.entries(cases)) {
    test(what, async () => {
      await fleet.register("dev", ["lt=864000", "lwm2m=1.1", "b=U", "Q"]);
      const { address, call, other, list } = await prepare();
      const before = await made(list);
      const first = await post(address, { ...call, key: "k" });
      assert.equal(first.status, 201, JSON.stringify(first.body));
      const again = await post(address, { ...call, key: "k" });
      assert.equal(again.status, 201, JSON.stringify(again.body));
      assert.deepEqual([again.headers, at(again.body, "id")], [first.headers, at(first.body, "id")]);
      assert.equal(await made(list), before + 1);
      assert.equal((await post(address, { ...other, key: "k" })).status, "idempotency-mismatch");
      await fleet.world.kill();
      await fleet.world.start();
      assert.deepEqual((await post(address, { ...call, key: "k" })).headers, first.headers, "over a kill");
      const withoutKey = await post(address, call);
      if (what !== "POST /observations") assert.equal(withoutKey.status, "conflict", "without a key it is another one");
    });
  }

  test("a request that is refused leaves its key free", async () => {
    await fleet.register("dev", ["lt=864000", "lwm2m=1.1", "b=U"]);
    await post("/groups", { body: { name: "taken" } });
    assert.equal((await post("/groups", { body: { name: "taken" }, key: "k" })).status, "conflict");
    assert.equal((await post("/groups", { body: { name: "free", members: ["nobody"] }, key: "k" })).status, "device-unknown");
    assert.equal((await post("/groups", { body: { name: "free", members: ["dev"] }, key: "k" })).status, 201);
    assert.equal((await post("/devices", { body: { endpoint: "dev" }, key: "d" })).status, "conflict", "it was there before");
    assert.equal((await post("/devices", { body: { endpoint: "fresh" }, key: "d" })).status, 201);
  });

  test("two at the same time: one is made, both hear of it", async () => {
    const replies = await Promise.all([1, 2, 3].map(() => post("/groups", { body: { name: "all", query: {} }, key: "k" })));
    assert.deepEqual(
      replies.map(({ status }) => status),
      [201, 201, 201],
    );
    assert.equal(new Set(replies.map(({ body }) => at(body, "id"))).size, 1);
    const devices = await Promise.all([1, 2, 3].map(() => post("/devices", { body: { endpoint: "new" }, key: "d" })));
    assert.deepEqual(
      devices.map(({ status }) => status),
      [201, 201, 201],
    );
  });
});

describe("the keys", () => {
  const keysOf = (...fingerprintKeys: number[]) =>
    new IdempotencyKeys({
      ...{ store: fleet.world.store, clock: fleet.world.clock },
      supervisor: { run: (work: Promise<unknown>) => void work, settled: async () => {} },
      fingerprintKeys: fingerprintKeys.map((fill) => new Uint8Array(32).fill(fill)),
    });
  const request = { actor: "a", idempotencyKey: "k" };
  const once = async (keys: IdempotencyKeys, about: Json, id: string, actor = "a") => {
    const outcome: { readonly id: string } | Refused = await keys.once<{ readonly id: string }>(
      { ...request, actor },
      { about: [about], newId: () => id, find: async (found) => ({ id: found }), make: async (making) => ({ id: making }) },
    );
    return "id" in outcome ? outcome.id : outcome.problem.type;
  };

  test("of each caller for itself, for a day; members of the request in any order", async () => {
    const keys = keysOf(1);
    const until = <T>(work: Promise<T>): Promise<T> => fleet.world.until(work);
    assert.equal(await until(once(keys, { x: 1, y: [{ b: 1, a: 2 }] }, "first")), "first");
    assert.equal(await until(once(keys, { y: [{ a: 2, b: 1 }], x: 1 }, "second")), "first");
    assert.equal(await until(once(keys, { x: 2 }, "third")), "idempotency-mismatch");
    assert.equal(await until(once(keys, { x: 2 }, "fourth", "b")), "fourth");
    await fleet.world.clock.advance(dayMs - 1_000);
    assert.equal(await until(once(keys, { x: 1, y: [{ b: 1, a: 2 }] }, "fifth")), "first");
    await fleet.world.clock.advance(2_000);
    assert.equal(await until(once(keys, { x: 1 }, "sixth")), "sixth");
  });

  test("nothing of the request can be guessed from what is stored; a new secret key knows what the former ones made", async () => {
    const about = { password: "1234" };
    assert.equal(await fleet.world.until(once(keysOf(1), about, "first")), "first");
    const collection = fleet.world.store.collection<StoredDocument & { readonly fingerprint: string }>(idempotencyCollection);
    const [stored] = await fleet.world.until(collection.find({}));
    assert.notEqual(
      stored?.fingerprint,
      createHash("sha256")
        .update(JSON.stringify([about]))
        .digest("base64url"),
    );
    assert.equal(await fleet.world.until(once(keysOf(2, 1), about, "second")), "first");
    assert.equal(await fleet.world.until(once(keysOf(3), about, "third")), "idempotency-mismatch");
  });
});
