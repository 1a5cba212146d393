import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { MongoClient } from "mongodb";
import { ferretSuite, mongoUrlOfTests } from "../../testing/platform/store-suite.ts";
import type { CollectionDefinition } from "../collection.ts";
import { describeStoreContract } from "../contract.ts";
import type { Store } from "../store.ts";
import { openMongoStore } from "./mongo-store.ts";

const directory = mkdtempSync(join(tmpdir(), "mongo-contract-"));
after(() => rmSync(directory, { recursive: true }));

const open = (url: string, collections: readonly CollectionDefinition[]): Promise<Store> =>
  openMongoStore({ url, collections, directory, strictFilters: true, poolSize: 20, timeoutMs: 10_000 });

ferretSuite("FerretDB", (ferret) => {
  describeStoreContract("MongoDB adapter, FerretDB", (collections) => open(ferret().url("contract"), collections), ["nested-arrays"]);
});

const url = mongoUrlOfTests();
const own = "store contract on the MongoDB of MONGO_URL";
if (url === undefined) test(own, { skip: "MONGO_URL is not set" }, () => undefined);
else {
  // A database of its own, gone afterwards: what the address names is not touched.
  const database = `lwm2m_contract_${process.pid}`;
  after(async () => {
    const client = await MongoClient.connect(url);
    await client.db(database).dropDatabase();
    await client.close();
  });
  describeStoreContract("MongoDB adapter, MONGO_URL", (collections) => open(withDatabase(url, database), collections));
}

function withDatabase(address: string, database: string): string {
  const [, hosts = "", query = ""] = /^([a-z+]+:\/\/[^/?]+)[^?]*(\?.*)?$/.exec(address) ?? [];
  return `${hosts}/${database}${query}`;
}
