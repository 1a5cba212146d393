import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { describeStoreContract } from "./contract.ts";
import { driversHere } from "./drivers/open-driver.ts";
import { openEmbeddedStore } from "./embedded-store.ts";

const root = mkdtempSync(join(tmpdir(), "store-contract-"));
after(() => rmSync(root, { recursive: true }));

for (const driver of driversHere()) {
  describeStoreContract(`embedded, ${driver}`, (collections) =>
    openEmbeddedStore({ directory: join(root, driver), collections, driver, strictFilters: true }),
  );
}
