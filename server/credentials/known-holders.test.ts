import assert from "node:assert/strict";
import { test } from "node:test";
import { KnownHolders } from "./known-holders.ts";

/** Counts how often it is looked, and says what is so. */
function looking(holders: KnownHolders) {
  const look = {
    ...{ has: false, looks: 0 },
    ask: (name: string) =>
      holders.ask(name, async () => {
        look.looks++;
        return look.has;
      }),
  };
  return look;
}

test("known holders: looked once, and again after each change, also one that failed", async () => {
  const holders = new KnownHolders(10);
  const look = looking(holders);
  assert.deepEqual([await look.ask("a"), await look.ask("a"), look.looks], [false, false, 1]);
  await holders.during(async () => {
    look.has = true;
  });
  assert.deepEqual([await look.ask("a"), await look.ask("a"), look.looks], [true, true, 2]);
  await assert.rejects(holders.during(() => Promise.reject(new Error("the store is closed"))));
  await look.ask("a");
  assert.equal(look.looks, 3);
});

test("known holders: an answer that a change overtook is not kept, nor is one given during a change", async () => {
  const holders = new KnownHolders(10);
  let answer: (has: boolean) => void = () => {};
  const old = holders.ask("a", () => new Promise((resolve) => (answer = resolve)));
  await holders.during(async () => {});
  answer(false);
  assert.equal(await old, false);
  const look = looking(holders);
  look.has = true;
  assert.equal(await look.ask("a"), true);
  let end: () => void = () => {};
  const change = holders.during(() => new Promise<void>((resolve) => (end = resolve)));
  await look.ask("a");
  await look.ask("a");
  end();
  await change;
  assert.equal(look.looks, 3);
  await look.ask("a");
  assert.equal(look.looks, 4);
});

test("known holders: no more than its room, and with none nothing", async () => {
  const holders = new KnownHolders(2);
  const look = looking(holders);
  for (const name of ["a", "b", "c", "c"]) await look.ask(name);
  assert.equal(look.looks, 3);
  const none = looking(new KnownHolders(0));
  await none.ask("a");
  await none.ask("a");
  assert.equal(none.looks, 2);
});
