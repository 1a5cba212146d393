// `npm test [-- part of a path …]`: every compiled test; the last line is `N passed, N failed, N skipped`.
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { prepare, root, testFiles } from "./prepare.mjs";

// Black-box scenarios start whole servers and mostly wait for devices: after the quick ones, some at a time.
const groups = [
  { files: (file) => !file.includes("conformance-tests"), concurrency: 2 },
  { files: (file) => file.includes("conformance-tests"), concurrency: 3 },
];

prepare();
process.chdir(root);
const wanted = testFiles(process.argv.slice(2));
const totals = { passed: 0, failed: 0, skipped: 0 };
const skippedNames = [];
const failedNames = [];

for (const group of groups) {
  const files = wanted.filter(group.files);
  if (files.length > 0) await runGroup(files, group.concurrency);
}

for (const name of skippedNames) console.log(`skipped: ${name}`);
for (const name of failedNames) console.log(`failed: ${name}`);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);

function runGroup(files, concurrency) {
  return new Promise((resolve) => {
    const stream = run({ files, concurrency, timeout: 900_000 });
    stream.on("test:pass", (event) => count(event, "passed"));
    stream.on("test:fail", (event) => count(event, "failed"));
    stream.on("end", resolve);
    stream.compose(new spec()).pipe(process.stdout, { end: false });
  });
}

/** A file is reported as a test of its own: it counts only when it failed as a whole. Suites count through their tests. */
function count({ name, file, details, skip, todo }, outcome) {
  const isFile = file !== undefined && name === file;
  if (details?.type === "suite" || (isFile && outcome === "passed")) return;
  const skipped = skip !== undefined || todo !== undefined;
  totals[skipped ? "skipped" : outcome] += 1;
  if (skipped) skippedNames.push(typeof skip === "string" && skip !== "" ? `${name} (${skip})` : name);
  if (!skipped && outcome === "failed") failedNames.push(`${name} (${file ?? "?"})`);
}
