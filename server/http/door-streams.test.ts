import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { test } from "node:test";
import { aDoor, aRoute, bodyOf, key, problemOf } from "./door-fixture.ts";

test("a binary body streams to its handler, which may refuse it before it is read", async (t) => {
  let bytes = 0;
  const upload = aRoute({
    path: "/upload",
    method: "PUT",
    body: "binary",
    async handle({ stream }) {
      for await (const chunk of stream ?? []) bytes += chunk.length;
      return { status: 200, body: bytes };
    },
  });
  const refuse = aRoute({
    path: "/refuse",
    method: "PUT",
    body: "binary",
    handle: async () => ({ problem: { type: "body-too-large", detail: "" } }),
  });
  const { ask, door } = await aDoor(t, [upload, refuse]);
  assert.equal(await bodyOf(await ask("/upload", { method: "PUT", body: new Uint8Array(5_000_000) })), 5_000_000);
  await problemOf(await ask("/refuse", { method: "PUT", body: new Uint8Array(1_000_000) }), 413, "body-too-large");
  // RFC 9110 §10.1.1: a client that waits for 100 Continue is answered without having sent a byte.
  const { status, asked } = await new Promise<{ status: number | undefined; asked: boolean }>((resolve, reject) => {
    let asked = false;
    const headers = { authorization: "Bearer wrong", expect: "100-continue", "content-length": "100000000" };
    const request = httpRequest({ port: door.port, path: "/api/v1/upload", method: "PUT", headers });
    request.on("continue", () => {
      asked = true;
    });
    request.on("response", (response) => {
      response.resume();
      request.destroy();
      resolve({ status: response.statusCode, asked });
    });
    request.on("error", reject);
    request.flushHeaders();
  });
  assert.deepEqual({ status, asked }, { status: 401, asked: false });
});

test("a stream waits for a slow reader, ends when the reader leaves, and ends when the door closes", async (t) => {
  let produced = 0;
  let ended = 0;
  const chunk = "x".repeat(65_536);
  const stream = aRoute({
    path: "/stream",
    async handle({ signal }) {
      async function* chunks() {
        try {
          while (!signal.aborted) {
            produced += 1;
            yield chunk;
          }
        } finally {
          ended += 1;
        }
      }
      return { status: 200, headers: { "content-type": "text/plain" }, stream: chunks() };
    },
  });
  const { ask, door, lines } = await aDoor(t, [stream]);
  const leaving = new AbortController();
  const reader = (await ask("/stream", { signal: leaving.signal })).body?.getReader();
  await reader?.read();
  // 1 GB would have been produced in the time a few round trips take, were nobody holding it back.
  for (let i = 0; i < 20; i += 1) await ask("/none");
  assert.ok(produced < 2_000, `${produced} chunks`);
  leaving.abort();
  while (ended < 1) await ask("/none");
  const second = await ask("/stream");
  await second.body?.getReader().read();
  await door.close(200);
  assert.equal(ended, 2);
  assert.equal(
    lines.some((line) => line.includes('"level":"error"')),
    false,
  );
});

test("a waiting handler is told when the door closes, and its answer still leaves", async (t) => {
  let entered = (): void => {};
  const isEntered = new Promise<void>((resolve) => {
    entered = resolve;
  });
  const wait = aRoute({
    path: "/wait",
    handle: ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve({ status: 200, body: "early" }));
        entered();
      }),
  });
  const { ask, door } = await aDoor(t, [wait]);
  const answer = ask("/wait");
  await isEntered;
  const closed = door.close(5_000);
  assert.equal(await bodyOf(await answer), "early");
  await closed;
});

test("many requests at once leave no warning behind", async (t) => {
  const warnings: string[] = [];
  const note = (warning: Error): void => {
    warnings.push(warning.message);
  };
  process.on("warning", note);
  t.after(() => process.off("warning", note));
  const held: (() => void)[] = [];
  const wait = aRoute({ path: "/wait", handle: () => new Promise((resolve) => held.push(() => resolve({ status: 200, body: null }))) });
  const { ask } = await aDoor(t, [wait]);
  const answers = Array.from({ length: 40 }, () => ask("/wait"));
  while (held.length < 40) await ask("/none");
  for (const release of held) release();
  for (const answer of answers) assert.equal((await answer).status, 200);
  assert.deepEqual(warnings, []);
});

test("a client that leaves in the middle of an upload is no fault of the server", async (t) => {
  let broken: unknown;
  let hasBegun = (): void => {};
  const begun = new Promise<void>((resolve) => {
    hasBegun = resolve;
  });
  const upload = aRoute({
    path: "/upload",
    method: "PUT",
    body: "binary",
    async handle({ stream }) {
      try {
        for await (const _ of stream ?? []) hasBegun();
      } catch (error) {
        broken = error;
        throw error;
      }
      return { status: 200 };
    },
  });
  const { ask, door, lines } = await aDoor(t, [upload]);
  const headers = { authorization: `Bearer ${key}`, "content-length": "1000000" };
  const request = httpRequest({ port: door.port, path: "/api/v1/upload", method: "PUT", headers });
  request.on("error", () => {});
  request.write("x");
  await begun;
  request.destroy();
  while (broken === undefined) await ask("/none");
  await door.close(1_000);
  assert.equal(
    lines.some((line) => line.includes('"level":"error"')),
    false,
    lines.join(""),
  );
  assert.ok(lines.some((line) => line.includes("the client left")));
});
