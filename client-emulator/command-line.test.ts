import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDeviceOptions, parseFleetOptions, parsePackageOptions } from "./command-line.ts";

const problemOf = (parsed: { readonly ok: true } | { readonly ok: false; readonly problem: string }) =>
  parsed.ok ? "accepted" : parsed.problem;
const device = (...flags: string[]) => parseDeviceOptions(["--endpoint", "dev", "--server", "coap://127.0.0.1:5683", ...flags]);

test("device flags: what is not said has a default", () => {
  const parsed = device("--queue", "--awake", "10", "--format", "senml-json");
  assert.ok(parsed.ok);
  const { settings, endpointName, stateFile } = parsed.options;
  assert.deepEqual(
    [endpointName, stateFile, settings.queueMode, settings.awakeSeconds, settings.sleepSeconds],
    ["dev", undefined, true, 10, undefined],
  );
  assert.deepEqual([settings.lwm2mVersion, settings.preferredFormat, settings.lifetimeSeconds], ["1.1", 110, 300]);
});

test("device flags: a 1.0 client speaks TLV", () => {
  const parsed = device("--version", "1.0");
  assert.ok(parsed.ok);
  assert.equal(parsed.options.settings.preferredFormat, 11_542);
});

test("device flags: every mistake is one clear line", () => {
  assert.equal(problemOf(parseDeviceOptions([])), "--endpoint NAME is missing");
  assert.equal(problemOf(parseDeviceOptions(["--endpoint", "dev"])), "--server URI or --bootstrap URI is missing");
  assert.equal(problemOf(device("--lifetime", "soon")), "--lifetime is a number from 0 to 4294967295, got soon");
  assert.equal(problemOf(device("--awake", "0")), "--awake is a number from 1 to 86400, got 0");
  assert.equal(problemOf(device("--version", "2.0")), "--version is 1.0 or 1.1, got 2.0");
  assert.equal(problemOf(device("--format", "xml")), "--format is one of tlv, senml-json, senml-cbor, got xml");
  assert.equal(problemOf(device("--version", "1.0", "--format", "senml-json")), "LwM2M 1.0 knows no SenML: --format tlv");
  assert.equal(problemOf(device("--binding", "usb")), "--binding is a set of letters such as U, got usb");
  assert.equal(
    problemOf(device("--server", "http://x")),
    "--server is a URI such as coap://127.0.0.1:5683 or coaps://127.0.0.1:5684, got http://x",
  );
  assert.equal(problemOf(device("--colour")), "Unknown option '--colour'");
  for (const problem of [problemOf(device("--lifetime")), problemOf(device("stray"))]) assert.doesNotMatch(problem, /\n|accepted/);
});

test("package and fleet flags", () => {
  assert.equal(problemOf(parsePackageOptions(["--name", "a"])), "--name, --version and --out are needed");
  assert.equal(problemOf(parsePackageOptions(["--name", "a", "--version", "1", "--out", "f", "--size", "-1"])).includes("--size"), true);
  assert.equal(problemOf(parseFleetOptions(["--devices", "3"])), "--devices N and --server URI are needed");
  const fleet = parseFleetOptions(["--devices", "300", "--server", "coap://localhost"]);
  assert.ok(fleet.ok);
  assert.deepEqual([fleet.options.rampSeconds, fleet.options.prefix, fleet.options.seconds], [3, "fleet", undefined]);
});

test("fleet flags: a coaps server takes keys derived from a secret", () => {
  const fleet = parseFleetOptions(["--devices", "3", "--server", "coaps://localhost", "--psk-prefix", "urn:f:", "--cid"]);
  assert.ok(fleet.ok);
  assert.deepEqual([fleet.options.psk, fleet.options.dtls.connectionIdBytes], [{ prefix: "urn:f:", secretFile: undefined }, 0]);
  const clear = parseFleetOptions(["--devices", "3", "--server", "coap://localhost", "--print-credentials"]);
  assert.equal(problemOf(clear), "--print-credentials is for a coaps URI");
});
