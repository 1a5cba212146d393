import assert from "node:assert/strict";
import { test } from "node:test";
import type { Condition } from "../filter/filter.ts";
import { searchDevices } from "./device-search.ts";
import type { TraitStore } from "./trait-store.ts";

const traitPage = 10;

test("what no index narrows: a request looks at so many devices, and says where the next one goes on", async () => {
  const names = Array.from({ length: 95 }, (_, number) => `d-${String(number).padStart(2, "0")}`);
  let looked = 0;
  const traits = {
    async search(_: Condition, after: string) {
      const page = names.filter((name) => name > after).slice(0, traitPage);
      looked += page.length;
      return page.map((_id) => ({ _id, manufacturer: _id.endsWith("9") ? "Acme" : null, tags: [] }));
    },
  } as unknown as TraitStore;
  const devices = {
    findAll: async (endpoints: readonly string[]) =>
      endpoints.map((_id) => ({ _id, createdAt: 1, lastSeenAt: 1, outbox: [], hasOutbox: false })),
  };
  const condition: Condition = { kind: "equals", field: "manufacturer", values: ["Acme"], not: false };
  const found: string[] = [];
  const pages: number[] = [];
  for (let after: string | null = ""; after !== null; ) {
    looked = 0;
    const page = await searchDevices({ traits, devices }, condition, { limit: 4, after }, 30);
    assert.ok(looked <= 30);
    found.push(...page.devices.map(({ _id }) => _id));
    pages.push(page.devices.length);
    after = page.next;
  }
  assert.deepEqual(
    found,
    names.filter((name) => name.endsWith("9")),
  );
  assert.deepEqual(pages, [3, 3, 3, 0], "shorter than asked for, though more follow");
});
