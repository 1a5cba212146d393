import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { type LogSettings, openLog } from "./log.ts";
import { openSupervisor } from "./supervisor.ts";

function aLog(overrides: Partial<LogSettings> = {}) {
  const chunks: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { log: openLog({ level: "info", pretty: false, sink, ...overrides }), text: () => chunks.join("") };
}

test("an entry is one JSON line with level, message, time and its fields", () => {
  const { log, text } = aLog();
  log.info("listening", { door: "coap", port: 5683 });
  const { timestamp, ...entry } = JSON.parse(text());
  assert.deepEqual(entry, { level: "info", message: "listening", door: "coap", port: 5683 });
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(text().split("\n").length, 2);
});

test("LOG_LEVEL drops what is below it", () => {
  const { log, text } = aLog({ level: "warn" });
  log.info("hidden");
  log.debug("hidden");
  log.warn("shown");
  assert.equal(JSON.parse(text()).message, "shown");
});

test("STYLE §2 errors: keys, tokens and secrets never reach a log, in no field, sentence or error", () => {
  const key = `lwm2m_${"k".repeat(43)}`;
  const known = "a-known-script-key";
  const { log, text } = aLog({ secrets: [known], level: "debug" });
  log.info(`started with ${key}`, {
    authorization: `Bearer ${key}`,
    apiKey: known,
    nested: { psk: "0102", list: [{ secretKey: "s3cret-bytes" }] },
  });
  log.error("failed", { error: new Error(`sent Bearer abc.def with ${known}`, { cause: new Error(key) }) });
  log.debug("headers", { value: `Bearer ${known}`, bytes: new Uint8Array([1, 2]) });
  for (const secret of [key, known, "0102", "s3cret-bytes", "abc.def"]) assert.equal(text().includes(secret), false, secret);
  assert.match(text(), /\[redacted\]/);
  assert.match(text(), /\[2 bytes\]/);
});

test("a caller's object is not changed by redaction", () => {
  const { log } = aLog();
  const fields = { request: { psk: "0102" } };
  log.info("x", fields);
  assert.deepEqual(fields, { request: { psk: "0102" } });
});

test("the pretty form is one line per entry", () => {
  const { log, text } = aLog({ pretty: true });
  log.info("listening", { door: "http", address: "127.0.0.1", what: "two words" });
  assert.match(text(), /^\d\d:\d\d:\d\d\.\d{3} info {2}listening door=http address=127\.0\.0\.1 what="two words"\n$/);
});

test("STYLE §1.12: work nobody awaits has an owner that logs its failure", async () => {
  const { log, text } = aLog();
  const supervisor = openSupervisor(log);
  supervisor.run(Promise.reject(new Error("broken")), "relay events");
  supervisor.run(Promise.resolve(), "fine");
  await supervisor.settled();
  const entry = JSON.parse(text());
  assert.equal(entry.what, "relay events");
  assert.equal(entry.error.message, "broken");
});
