import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { StartError } from "../start-error.ts";
import type { CollectionDefinition, StoredDocument } from "../storage/collection.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import { watchStore } from "../testing/watched-store.ts";
import { openFields, openSecretBox, type Sealed, sealAnew, sealedByIndex, sealFields, sealingKeyCollection } from "./sealed-documents.ts";
import { findSecretKeyWarning } from "./secret-key-file.ts";

const things: CollectionDefinition = { name: "things", indexes: [sealedByIndex] };
type Thing = StoredDocument & Sealed;
const plain = new TextEncoder().encode("what nobody may see");

async function aPlace(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "sealed-documents-"));
  t.after(() => rm(directory, { recursive: true }));
  const random = seededRandom(1);
  const keyLine = (): string => Buffer.from(random.bytes(32)).toString("base64");
  const withStore = async <T>(work: (store: ReturnType<typeof watchStore>) => Promise<T>): Promise<T> => {
    const opened = await openEmbeddedStore({ directory, collections: [sealingKeyCollection, things], strictFilters: true });
    const store = watchStore(opened);
    try {
      return await work(store);
    } finally {
      await opened.close();
    }
  };
  const boxFor = (store: ReturnType<typeof watchStore>, file?: string) =>
    openSecretBox({ store, clock: new VirtualClock(), random, keyFile: { file, dataDir: directory } });
  return { directory, own: join(directory, "secret-key"), withStore, boxFor, keyLine };
}

async function refusal(opening: Promise<unknown>): Promise<string> {
  const error = await opening.then(
    () => assert.fail("it was opened"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StartError, String(error));
  assert.equal(error.message.includes("\n"), false);
  return error.message;
}

test("the first start makes a key in the data directory for its owner alone; the second finds it", async (t) => {
  const { directory, own, withStore, boxFor } = await aPlace(t);
  const first = await withStore(async (store) => (await boxFor(store)).keyId);
  assert.equal((await stat(own)).mode & 0o777, 0o600);
  assert.equal((await readdir(directory)).includes("secret-key.new"), false);
  await chmod(own, 0o644);
  assert.equal(await withStore(async (store) => (await boxFor(store)).keyId), first);
  assert.equal((await stat(own)).mode & 0o777, 0o600);
});

test("a leftover of a crash while the key was written does not stand in the way", async (t) => {
  const { own, withStore, boxFor } = await aPlace(t);
  await writeFile(`${own}.new`, "AAAA");
  assert.match(await withStore(async (store) => (await boxFor(store)).keyId), /^[0-9a-f]{16}$/);
});

test("a key that is gone is missed, never replaced", async (t) => {
  const { own, withStore, boxFor, keyLine } = await aPlace(t);
  const keyId = await withStore(async (store) => (await boxFor(store)).keyId);
  const kept = await readFile(own, "utf8");
  await rm(own);
  assert.match(await withStore((store) => refusal(boxFor(store))), new RegExp(`secret-key is not there.*${keyId}.*put it back`));
  await assert.rejects(stat(own));
  await writeFile(own, `${keyLine()}\n`);
  assert.match(await withStore((store) => refusal(boxFor(store))), new RegExp(`lacks the key ${keyId}`));
  await writeFile(own, kept);
  assert.equal(await withStore(async (store) => (await boxFor(store)).keyId), keyId);
});

test("SECRET_KEY_FILE must be there; the message says how to make one", async (t) => {
  const { directory, withStore, boxFor } = await aPlace(t);
  const message = await withStore((store) => refusal(boxFor(store, join(directory, "elsewhere"))));
  assert.match(message, /SECRET_KEY_FILE .*elsewhere is not there; make one by: openssl rand -base64 32/);
});

test("a SECRET_KEY_FILE that others may read is warned of once, whoever of them it is, and left as it is; one of its owner alone is not", async (t) => {
  const { directory, keyLine } = await aPlace(t);
  const file = join(directory, "elsewhere");
  await writeFile(file, `${keyLine()}\n`);
  for (const mode of [0o644, 0o640, 0o602, 0o600, 0o400]) {
    await chmod(file, mode);
    const warning = await findSecretKeyWarning({ file, dataDir: directory });
    assert.equal(warning !== undefined, (mode & 0o077) !== 0, mode.toString(8));
    if (warning !== undefined) assert.match(warning, /^SECRET_KEY_FILE .*elsewhere may be read by others/);
    assert.equal((await stat(file)).mode & 0o777, mode);
  }
  assert.equal(await findSecretKeyWarning({ file: undefined, dataDir: directory }), undefined);
});

for (const [what, text, expected] of [
  ["empty", "\n# only a remark\n", /is empty/],
  ["of another length", `${Buffer.alloc(31).toString("base64")}\n`, /line 1 is not base64 of 32 bytes/],
  ["of no base64", "geheimgeheimgeheim!\n", /line 1 is not base64/],
  ["half written", `# ours\n${Buffer.alloc(32).toString("base64").slice(0, 20)}`, /line 2 is not base64/],
] as const) {
  test(`a key file that is ${what} is refused in one line that does not show it`, async (t) => {
    const { own, withStore, boxFor } = await aPlace(t);
    await writeFile(own, text);
    const message = await withStore((store) => refusal(boxFor(store)));
    assert.match(message, expected);
    assert.equal(/geheim|AAAA/.test(message), false);
  });
}

test("rotation: a new first line seals everything anew at the next start, and the former key may go", async (t) => {
  const { own, withStore, boxFor, keyLine } = await aPlace(t);
  const many = 1_203;
  await withStore(async (store) => {
    const box = await boxFor(store);
    const documents = Array.from({ length: many }, (_, i) => `thing-${i}`);
    await store
      .collection<Thing>(things)
      .bulkWrite(documents.map((_id) => ({ insertOne: { document: { _id, ...sealFields(box, things, _id, { key: plain }) } } })));
  });
  const former = await readFile(own, "utf8");
  const latter = `${keyLine()}\n`;
  await writeFile(own, latter + former);
  await withStore(async (store) => assert.equal(await sealAnew(store, await boxFor(store), [things]), many));
  await writeFile(own, latter);
  await withStore(async (store) => {
    const box = await boxFor(store);
    assert.equal(await sealAnew(store, box, [things]), 0);
    const found = await store.collection<Thing>(things).findOne({ _id: "thing-1202" });
    assert.deepEqual(found === undefined ? undefined : openFields(box, things, found), { key: plain });
  });
});

test("rotation survives a kill before any of its writes", async (t) => {
  const { own, withStore, boxFor, keyLine } = await aPlace(t);
  const ids = Array.from({ length: 700 }, (_, i) => `thing-${i}`);
  await withStore(async (store) => {
    const box = await boxFor(store);
    await store
      .collection<Thing>(things)
      .bulkWrite(ids.map((_id) => ({ insertOne: { document: { _id, ...sealFields(box, things, _id, { key: plain }) } } })));
  });
  const former = await readFile(own, "utf8");
  // The first write notes the new key, two bulks seal, the last one forgets the former key.
  for (const [nth, moment] of [1, 2, 3, 4].flatMap((nth) => [[nth, "before"] as const, [nth, "after"] as const])) {
    await writeFile(own, `${keyLine()}\n${await readFile(own, "utf8")}`);
    let died = false;
    await withStore(async (store) => {
      store.dieAtWrite(nth, moment, () => {
        died = true;
      });
      await assert.rejects(async () => sealAnew(store, await boxFor(store), [things]));
    });
    assert.ok(died);
    await withStore(async (store) => {
      const box = await boxFor(store);
      await sealAnew(store, box, [things]);
      for (const thing of await store.collection<Thing>(things).find({ sealedBy: box.keyId }, { limit: 1_000 })) {
        assert.deepEqual(openFields(box, things, thing), { key: plain });
      }
      assert.equal(await store.collection<Thing>(things).count({ sealedBy: box.keyId }), ids.length);
    });
  }
  assert.ok((await readFile(own, "utf8")).endsWith(former));
});
