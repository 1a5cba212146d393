import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { NotApplicable, type ServerCase, type ServerStage } from "./case.ts";
import { readOptions } from "./options.ts";
import { allGood, caseText, summaryText } from "./report.ts";
import { allCases, findCase, runCase, type Surroundings } from "./runner.ts";

function aCase(run: (stage: ServerStage) => Promise<void>): ServerCase {
  return { id: "LightweightM2M-1.1-int-101", title: "A case", role: "server", limitSeconds: 10, run };
}

function someSurroundings(clock = new VirtualClock()): Surroundings {
  return { openPeer: () => Promise.reject(new Error("no network here")), uniqueName: () => "name", clock };
}

test("OMA ETS §1: a case is found by its id, its number and the id of another edition", () => {
  for (const id of ["LightweightM2M-1.1-int-101", "LightweightM2M-1.0-int-101", "int-101", "101"]) {
    assert.equal(findCase("server", id)?.title, "Initial Registration", id);
  }
  assert.equal(findCase("server", "100"), undefined);
  assert.equal(findCase("client", "101")?.role, "client", "the same number judges another part");
  assert.equal(findCase("bootstrap", "101"), undefined);
  assert.equal(findCase("bootstrap", "0")?.title, "Client Initiated Bootstrap");
});

test("OMA TestFest: Pass when every criterion is met, Fail when one is not, Inconclusive when none was or the case broke", async () => {
  const verdictOf = async (run: (stage: ServerStage) => Promise<void>): Promise<string> =>
    (await runCase(aCase(run), someSurroundings())).verdict;
  assert.equal(await verdictOf(async (stage) => stage.check("one", true)), "Pass");
  assert.equal(
    await verdictOf(async (stage) => {
      stage.check("one", true);
      stage.check("two", false);
    }),
    "Fail",
  );
  assert.equal(await verdictOf(async () => undefined), "Inconclusive");
  assert.equal(await verdictOf(async (stage) => void (await stage.openPeer())), "Inconclusive");
});

test("OMA TestFest: a case for what the part under test need not have is Not Applicable, and no failure of the run", async () => {
  const result = await runCase(
    aCase(() => Promise.reject(new NotApplicable("no Disable"))),
    someSurroundings(),
  );
  assert.equal(result.verdict, "Not Applicable");
  const passed = await runCase(
    aCase(async (stage) => stage.check("one", true)),
    someSurroundings(),
  );
  assert.deepEqual([allGood([result, passed]), allGood([result])], [true, false]);
  assert.equal(summaryText([result, passed]), "1 of 2 cases passed, 1 not applicable");
});

test("OMA TestFest: a case that does not end is Out of Time", async () => {
  const clock = new VirtualClock();
  const running = runCase(
    aCase((stage) => stage.wait(3_600)),
    someSurroundings(clock),
  );
  await clock.advance(10_000);
  assert.equal((await running).verdict, "Out of Time");
});

test("a case that failed shows what was got", async () => {
  const result = await runCase(
    aCase(async (stage) => stage.check("2.01 to the Register", false, "4.00")),
    someSurroundings(),
  );
  assert.match(caseText(result), /^Fail +LightweightM2M-1.1-int-101 {2}A case \(0\.0 s\)\n {4}not met: 2\.01 to the Register; got 4\.00$/);
});

test("the command line: what is wrong is named", () => {
  const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [[], /--role: got nothing/],
    [["--role", "gateway"], /--role: got gateway/],
    [["--role", "server", "--target", "coap://h", "--command", "true"], /--command is for the role client/],
    [["--role", "client", "--target", "coap://h", "--stop", "kill"], /--stop: got kill/],
    [["--role", "client", "--target", "coap://h", "--wait", "long"], /--wait: got long/],
    [["--role", "bootstrap", "--target", "coap://h", "--endpoint", "one"], /--endpoint: got one/],
    [["--role", "server"], /--target: got nothing/],
    [["--role", "server", "--target", "coaps://h"], /--target: got coaps:\/\/h/],
    [["--role", "server", "--target", "coap://h", "--cases", "101,7777"], /no case 7777/],
    [["--role", "server", "--unknown"], /--unknown/],
  ];
  for (const [args, message] of wrong) assert.throws(() => readOptions(args), { name: "RangeError", message });
  const options = readOptions(["--role", "server", "--target", "coap://[::1]:99", "--cases", "101, 103"]);
  assert.deepEqual(options.target, { host: "::1", port: 99 });
  assert.deepEqual(
    options.cases.map(({ id }) => id),
    ["LightweightM2M-1.1-int-101", "LightweightM2M-1.1-int-103"],
  );
});

test("the cases: no id twice in one role", () => {
  const keys = allCases.map(({ role, id }) => `${role} ${id}`);
  assert.equal(new Set(keys).size, keys.length);
});
