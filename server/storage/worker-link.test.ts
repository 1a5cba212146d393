import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { openEmbeddedStore } from "./embedded-store.ts";

const definition = { name: "notes", indexes: [] };
const count = 500;

async function openNotes(t: { after(end: () => Promise<void>): void }) {
  const directory = await mkdtemp(join(tmpdir(), "worker-link-"));
  const store = await openEmbeddedStore({ directory, collections: [definition] });
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });
  return { store, notes: store.collection<{ readonly _id: string }>(definition) };
}

test("answers that came together are handed out over several turns, in the order of the questions", async (t) => {
  const { notes } = await openNotes(t);
  const answered: number[] = [];
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) systemClock.after(0, turn);
  };
  const all = Promise.all(
    Array.from({ length: count }, async (_, n) => {
      await notes.insertOne({ _id: `n${n}` });
      answered.push(n);
      if (n === 0) turn();
    }),
  );
  await all;
  isOver = true;
  assert.deepEqual(
    answered,
    Array.from({ length: count }, (_, n) => n),
  );
  assert.ok(turns >= 20, `${turns} turns`);
});

test("what was written before a close is acknowledged, all of it", async (t) => {
  const { store, notes } = await openNotes(t);
  const writes = Array.from({ length: count }, (_, n) => notes.insertOne({ _id: `n${n}` }));
  const closing = store.close();
  const outcomes = await Promise.allSettled(writes);
  await closing;
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, count);
  await assert.rejects(async () => void (await notes.insertOne({ _id: "late" })), /closed/);
});
