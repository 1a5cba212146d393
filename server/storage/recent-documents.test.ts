import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentDocuments } from "./recent-documents.ts";

/** A read that ends when it is told to. */
function heldRead() {
  let answer: (value: string | undefined) => void = () => {};
  const outcome = new Promise<string | undefined>((resolve) => {
    answer = resolve;
  });
  return { read: () => outcome, answer };
}

const never = (): Promise<string | undefined> => assert.fail("it is known and not read");
const reads = (value: string | undefined) => async () => value;

test("recent documents: read once, then known, until dropped", async () => {
  const recent = new RecentDocuments<string>(10);
  assert.equal(await recent.find("a", reads("one")), "one");
  assert.equal(await recent.find("a", never), "one");
  recent.put("a", "two");
  assert.equal(await recent.find("a", never), "two");
  recent.drop("a");
  assert.equal(await recent.find("a", reads("three")), "three");
});

test("recent documents: what is not there is asked for again", async () => {
  const recent = new RecentDocuments<string>(10);
  assert.equal(await recent.find("a", reads(undefined)), undefined);
  assert.equal(await recent.find("a", reads("now")), "now");
});

test("recent documents: a read that a write or a drop overtook is handed on and not kept", async () => {
  const recent = new RecentDocuments<string>(10);
  const first = heldRead();
  const finding = recent.find("a", first.read);
  recent.put("a", "newer");
  first.answer("older");
  assert.equal(await finding, "older");
  assert.equal(recent.peek("a"), "newer");
  recent.drop("a");
  const second = heldRead();
  const again = recent.find("a", second.read);
  recent.drop("a");
  second.answer("gone meanwhile");
  assert.equal(await again, "gone meanwhile");
  assert.equal(recent.peek("a"), undefined);
});

test("recent documents: the one written longest ago makes room; with room for none, none is kept", async () => {
  const recent = new RecentDocuments<string>(2);
  recent.put("a", "1");
  recent.put("b", "2");
  recent.put("a", "3");
  recent.put("c", "4");
  assert.deepEqual([recent.peek("a"), recent.peek("b"), recent.peek("c")], ["3", undefined, "4"]);
  const none = new RecentDocuments<string>(0);
  none.put("a", "1");
  assert.equal(await none.find("a", reads("stored")), "stored");
  assert.equal(none.peek("a"), undefined);
});
