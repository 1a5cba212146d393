import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../interop/platform/locations.ts";
import { runTour } from "./platform/tour-run.ts";
import { fingerprint, parseTour, withOutputs } from "./tour-script.ts";

const missing = ["bash", "curl", "grep", "cut", "tee"].filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
const skip = missing.length > 0 && process.env["INTEROP"] !== "required" ? `not installed: ${missing.join(", ")}` : false;

test("README: every command of the tour runs as written and prints what the page shows", { skip }, async () => {
  const blocks = parseTour(await readFile(join(repositoryRoot, "README.md"), "utf8"));
  assert.ok(blocks.length > 8, `only ${blocks.length} blocks found`);
  const outputs = await runTour(blocks);
  for (const [index, block] of blocks.entries()) {
    // What a device and a server say while they start, and what a repeated command showed last, differs from run to run.
    if (block.terminal !== undefined || block.until !== undefined) continue;
    for (const [at, { command, output }] of block.steps.entries()) {
      assert.deepEqual(fingerprint(outputs[index]?.[at] ?? []), fingerprint(output), command);
    }
  }
});

test("a tour is read and written back", () => {
  const page = "# x\n\n## Five-minute tour\n\n<!-- until: done -->\n```console\n$ a\nold\n$ b\n```\n\n## y\n```console\n$ no\n```\n";
  const [block, ...rest] = parseTour(page);
  assert.equal(rest.length, 0);
  assert.equal(block?.until, "done");
  assert.deepEqual(block?.steps, [
    { command: "a", output: ["old"] },
    { command: "b", output: [] },
  ]);
  assert.match(withOutputs(page, [[["1", "2"], ["3"]]]), /\$ a\n1\n2\n\$ b\n3\n```\n/);
});
