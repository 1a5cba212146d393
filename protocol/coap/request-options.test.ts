import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorld } from "../testing/coap-world.ts";
import { ResponseCode } from "./codes.ts";
import type { IncomingRequest } from "./message.ts";

test("RFC 7252 §3.2, §5.4.3: Uri-Path and Uri-Query that are no UTF-8 are answered 4.02 and reach no handler; what is UTF-8 arrives as it is", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const peer = world.scripted();
  const seen: IncomingRequest[] = [];
  endpoint.handle((request) => {
    seen.push(request);
    return { code: ResponseCode.content };
  });
  for (const [i, bad] of ["b2c328", "b1ff", "b3e28261", "b3eda080", "b161 41ff"].entries()) {
    const id = (i + 1).toString(16).padStart(4, "0");
    const [reply = ""] = await peer.ask(`4101${id}77${bad}`);
    assert.ok(reply.startsWith(`6182${id}77ff`), `${bad}: ${reply}`);
  }
  assert.equal(seen.length, 0);
  // é, a byte order mark that belongs to the text, and 🌡.
  await peer.ask("4101100077b2c3a9 03efbbbf 04f09f8ca1 42c3a9");
  assert.deepEqual([seen[0]?.path, seen[0]?.query], [["é", "\ufeff", "🌡"], ["é"]]);
  await world.end();
});
