import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { clearTextCollection } from "../security/sealed-documents.ts";
import { SecretBox, SecretBoxError } from "../security/secret-box.ts";
import { secretKeyOf } from "../security/secret-key-file.ts";
import type { Json, StoredDocument } from "../storage/collection.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import { type WatchedStore, watchStore } from "../testing/watched-store.ts";
import { bootstrapConfigs, openBootstrapConfigStore, type StoredBootstrapConfig } from "./bootstrap-config-store.ts";
import { apart, together } from "./config-secrets.ts";

const box = new SecretBox([secretKeyOf(new Uint8Array(32).fill(1))], seededRandom(1));
const secret = Buffer.from("a key of sixteen");
const account = {
  serverUri: "coaps://lwm2m.example",
  mode: "psk",
  identity: "dev-1",
  secretKey: secret.toString("base64"),
  shortServerId: 1,
};
const config: Json = { security: [account], servers: [{ shortServerId: 1 }] };

async function aPlace(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "bootstrap-configs-"));
  t.after(() => rm(directory, { recursive: true }));
  return async <T>(work: (store: WatchedStore, erasures: () => number) => Promise<T>): Promise<T> => {
    const opened = await openEmbeddedStore({ directory, collections: [bootstrapConfigs, clearTextCollection], strictFilters: true });
    let erased = 0;
    const eraseLeftovers = async () => {
      erased += 1;
      await opened.eraseLeftovers?.();
    };
    try {
      return await work({ ...watchStore(opened), eraseLeftovers }, () => erased);
    } finally {
      await opened.close();
    }
  };
}

test("secrets are taken out of a configuration and put back where they were", () => {
  const accounts = {
    security: [account, { serverUri: "coap://b.example", mode: "noSec" }, { ...account, secretKey: "AAAA" }],
    servers: [],
  };
  const { config: without, secrets } = apart(accounts);
  assert.equal(JSON.stringify(without).includes("secretKey"), false);
  assert.deepEqual(Object.keys(secrets), ["security/0/secretKey", "security/2/secretKey"]);
  assert.deepEqual(together(without, secrets), accounts);
});

test("what is put is found with its secret, and a second one replaces all of the first", async (t) => {
  const withStore = await aPlace(t);
  await withStore(async (store) => {
    const configs = await openBootstrapConfigStore(store, box);
    assert.equal(await configs.put("dev-1", config, 1), true);
    assert.deepEqual((await configs.find("dev-1"))?.security[0]?.secretKey, new Uint8Array(secret));
    assert.equal(JSON.stringify(await configs.findStored("dev-1")).includes(account.secretKey), false);
    const open: Json = { security: [{ serverUri: "coap://b.example", mode: "noSec", shortServerId: 1 }], servers: [{ shortServerId: 1 }] };
    assert.equal(await configs.put("dev-1", open, 2), false);
    assert.deepEqual((await configs.findStored("dev-1"))?.secrets, {});
  });
});

test("a sealed secret moved to another device does not open", async (t) => {
  const withStore = await aPlace(t);
  await withStore(async (store) => {
    const configs = await openBootstrapConfigStore(store, box);
    await configs.put("dev-1", config, 1);
    const { secrets } = (await configs.findStored("dev-1")) ?? assert.fail();
    await configs.put("dev-2", config, 1);
    await store.collection<StoredBootstrapConfig>(bootstrapConfigs).updateOne({ _id: "dev-2" }, { $set: { secrets } });
    await assert.rejects(configs.find("dev-2"), SecretBoxError);
  });
});

test("what stood in the clear is sealed whatever write the process dies at, and leftovers are erased after it", async (t) => {
  for (const moment of ["before", "after"] as const) {
    // The note that there is something, two bulks, the note taken away.
    for (let nth = 1; nth <= 4; nth += 1) {
      const withStore = await aPlace(t);
      await withStore(async (store) => {
        const plain = store.collection<StoredDocument & { readonly config: Json; readonly updatedAt: number }>(bootstrapConfigs);
        const documents = Array.from({ length: 600 }, (_, i) => ({ _id: `dev-${i}`, config, updatedAt: 1 }));
        await plain.bulkWrite(documents.map((document) => ({ insertOne: { document } })));
      });
      const erasedBefore = await withStore(async (store, erasures) => {
        store.dieAtWrite(store.writes + nth, moment, () => {});
        await assert.rejects(openBootstrapConfigStore(store, box));
        return erasures();
      });
      await withStore(async (store, erasures) => {
        const configs = await openBootstrapConfigStore(store, box);
        assert.ok(erasedBefore + erasures() > 0, `nothing was erased: killed ${moment} write ${nth}`);
        assert.deepEqual((await configs.find("dev-599"))?.security[0]?.secretKey, new Uint8Array(secret));
        assert.equal(await store.collection<StoredBootstrapConfig>(bootstrapConfigs).count({ sealedBy: box.keyId }, 1_000), 600);
        assert.equal(await store.collection<StoredDocument>(clearTextCollection).count({}), 0);
      });
    }
  }
});
