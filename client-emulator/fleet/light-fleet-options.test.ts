import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLightFleetCommand } from "./light-fleet-options.ts";

const parse = (...flags: string[]) => parseLightFleetCommand(["--devices", "10", "--server", "coap://127.0.0.1:5683", ...flags]);
const problemOf = (parsed: ReturnType<typeof parseLightFleetCommand>): string => (parsed.ok ? "accepted" : parsed.problem);

test("light fleet flags: what is not said has a default", () => {
  const parsed = parse("--updates-per-second", "100");
  assert.ok(parsed.ok);
  const { host, port, rates, seconds, awakeSeconds, registrationsPerSecond, prefix } = parsed.options;
  assert.deepEqual([host, port, seconds, awakeSeconds, registrationsPerSecond, prefix], ["127.0.0.1", 5683, 60, undefined, 500, "fleet"]);
  assert.deepEqual(rates, { updatesPerSecond: 100, notificationsPerSecond: 0, sendsPerSecond: 0 });
});

test("light fleet flags: queue mode has a window, 93 s unless told otherwise", () => {
  const [usual, own] = [parse("--queue-mode"), parse("--queue-mode", "--awake", "5")];
  assert.ok(usual.ok && own.ok);
  assert.deepEqual([usual.options.awakeSeconds, own.options.awakeSeconds], [93, 5]);
});

test("light fleet flags: every mistake is one clear line", () => {
  assert.equal(problemOf(parseLightFleetCommand([])), "--devices N and --server URI are needed");
  assert.equal(problemOf(parseLightFleetCommand(["--devices", "10"])), "--devices N and --server URI are needed");
  assert.equal(problemOf(parse("--devices", "100000")), "--devices is a number from 1 to 65535, got 100000");
  assert.equal(problemOf(parse("--sends-per-second=-1")), "--sends-per-second is a number from 0 to 100000, got -1");
  assert.equal(problemOf(parse("--awake", "5")), "--awake is for --queue-mode");
  assert.equal(problemOf(parse("--server", "coaps://127.0.0.1")), "light devices speak plain CoAP: --complete for a coaps URI");
  assert.match(problemOf(parse("--server", "here")), /^--server is a URI such as/);
  assert.equal(problemOf(parse("--colour")), "Unknown option '--colour'");
});
