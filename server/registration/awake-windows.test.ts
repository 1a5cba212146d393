import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { AwakeWindows } from "./awake-windows.ts";

const windowMs = 93_000;

function open(windowMsOf: (endpoint: string) => number = () => windowMs) {
  const clock = new VirtualClock(0);
  const changes: string[] = [];
  const windows = new AwakeWindows(clock, windowMsOf, (endpoint, awake) => changes.push(`${clock.now()} ${endpoint} ${awake}`));
  return { clock, changes, windows };
}

test("LwM2M Core 1.1 §6.5: each message starts the window again; a thousand devices need one timer", async () => {
  const { clock, changes, windows } = open();
  for (let i = 0; i < 1_000; i += 1) {
    windows.add(`dev-${i}`, true);
    windows.extend(`dev-${i}`);
  }
  assert.equal(clock.pendingTimers(), 1);
  changes.length = 0;
  await clock.advance(50_000);
  windows.extend("dev-7");
  await clock.advance(43_000);
  assert.equal(changes.length, 999);
  assert.equal(windows.isAwake("dev-7"), true);
  await clock.advance(50_000);
  assert.equal(changes.at(-1), "143000 dev-7 false");
  assert.equal(clock.pendingTimers(), 0);
});

test("a device that does not answer sleeps at once; one without queue mode never does", () => {
  const { changes, windows, clock } = open();
  windows.add("sleepy", true);
  windows.add("online", false);
  assert.deepEqual([windows.isAwake("sleepy"), windows.isAwake("online")], [false, true]);
  windows.extend("sleepy");
  windows.extend("online");
  windows.end("sleepy");
  windows.end("online");
  assert.deepEqual(changes, ["0 sleepy true", "0 sleepy false"]);
  assert.equal(windows.isAwake("online"), true);
  windows.close();
  assert.equal(clock.pendingTimers(), 0);
});

test("a change of mode takes effect; a repeated registration keeps the window open", () => {
  const { windows } = open();
  windows.add("dev", true);
  windows.extend("dev");
  windows.add("dev", true);
  assert.equal(windows.isAwake("dev"), true);
  windows.add("dev", false);
  windows.add("dev", true);
  assert.equal(windows.isAwake("dev"), false);
  windows.remove("dev");
  windows.extend("dev");
  windows.add("dev", true);
  assert.equal(windows.isAwake("dev"), false);
  windows.close();
});

test("RFC 7252 §4.8.2: windows differ with the links of their devices; each ends in its own time, and no timer stays", async () => {
  const windowsMs = new Map([["slow", 697_500]]);
  const { clock, changes, windows } = open((endpoint) => windowsMs.get(endpoint) ?? windowMs);
  for (const endpoint of ["slow", "fast", "other"]) {
    windows.add(endpoint, true);
    windows.extend(endpoint);
  }
  changes.length = 0;
  await clock.advance(50_000);
  windows.extend("slow");
  windowsMs.set("other", 10_000);
  windows.extend("other");
  await clock.advance(1_000_000);
  assert.deepEqual(changes, ["60000 other false", "93000 fast false", "747500 slow false"]);
  assert.equal(clock.pendingTimers(), 0);
});

test("a window goes on over a restart of the server, from the last message that is stored, and nobody is told twice that it opened", async () => {
  const { clock, changes, windows } = open();
  await clock.advance(200_000);
  for (const endpoint of ["late", "early", "over", "heard"]) windows.add(endpoint, true);
  windows.add("online", false);
  windows.extend("heard");
  changes.length = 0;
  const heard = [
    { endpoint: "late", at: 190_000 },
    { endpoint: "early", at: 120_000 },
    { endpoint: "over", at: 107_000 },
    { endpoint: "heard", at: 150_000 },
    { endpoint: "online", at: 199_000 },
    { endpoint: "nobody", at: 199_000 },
  ];
  windows.recall(heard);
  assert.deepEqual(
    heard.map(({ endpoint }) => windows.find(endpoint)?.until),
    [283_000, 213_000, undefined, 293_000, undefined, undefined],
  );
  assert.deepEqual(changes, []);
  await clock.advance(200_000);
  assert.deepEqual(changes, ["213000 early false", "283000 late false", "293000 heard false"]);
  assert.equal(clock.pendingTimers(), 0);
});
