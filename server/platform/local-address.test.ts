import assert from "node:assert/strict";
import { test } from "node:test";
import { findLocalAddressTowards } from "./local-address.ts";

test("the address a loopback peer sees us under is the loopback address", async () => {
  assert.equal(await findLocalAddressTowards({ address: "127.0.0.1", port: 5683 }), "127.0.0.1");
});
