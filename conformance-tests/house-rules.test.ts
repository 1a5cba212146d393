import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

// Lint reads the options by folder, so each breach is tried where it would be written, in a folder of its own.
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const probe = "house-rule-probe";
const folders = ["protocol/coap", "protocol/platform", "server/devices", "server/operations", "object-registry"].map((folder) =>
  join(root, folder, probe),
);

before(() => {
  for (const folder of folders) mkdirSync(folder, { recursive: true });
});
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function rulesBrokenBy(folder: string, source: string): readonly string[] {
  const file = join(root, folder, probe, "breach.ts");
  writeFileSync(file, source);
  const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
  const lint = spawnSync(process.execPath, [biome, "lint", "--error-on-warnings", "--reporter=github", file], {
    cwd: root,
    encoding: "utf8",
  });
  rmSync(file);
  const rules = [...`${lint.stdout}${lint.stderr}`.matchAll(/title=lint\/\w+\/(\w+)/g)].map((match) => match[1] ?? "");
  assert.equal(lint.status === 0, rules.length === 0, lint.stdout + lint.stderr);
  return rules;
}

interface Breach {
  readonly title: string;
  readonly folder: string;
  readonly source: string;
  readonly rule: string;
}

const breaches: readonly Breach[] = [
  {
    title: "protocol does not import a package above it",
    folder: "protocol/coap",
    source: 'import { openCatalogue } from "@lwm2m/object-registry/catalogue";\n\nexport const found = openCatalogue();\n',
    rule: "noUndeclaredDependencies",
  },
  {
    title: "the registry does not import the server",
    folder: "object-registry",
    source: 'import type { Route } from "@lwm2m/server/http/route";\n\nexport type Found = Route;\n',
    rule: "noUndeclaredDependencies",
  },
  {
    title: "a feature does not import one above it",
    folder: "server/devices",
    source: 'import type { Operation } from "../../operations/operation.ts";\n\nexport type Found = Operation;\n',
    rule: "noRestrictedImports",
  },
  {
    title: "machines and codecs do not touch Node",
    folder: "protocol/coap",
    source: 'import { createSocket } from "node:dgram";\n\nexport const socket = createSocket("udp4");\n',
    rule: "noRestrictedImports",
  },
  {
    title: "time is an argument",
    folder: "server/operations",
    source: "export const now = Date.now();\n",
    rule: "noRestrictedGlobals",
  },
  {
    title: "timers come from the clock",
    folder: "server/operations",
    source: "export const timer = setTimeout(() => undefined, 1);\n",
    rule: "noRestrictedGlobals",
  },
  {
    title: "every promise has an owner",
    folder: "server/operations",
    source: "async function work(): Promise<void> {}\n\nexport function start(): void {\n  work();\n}\n",
    rule: "noFloatingPromises",
  },
];

for (const { title, folder, source, rule } of breaches) {
  test(`house rule: ${title} (${rule})`, () => {
    assert.ok(existsSync(join(root, folder)), `${folder} has moved: mend this test`);
    assert.ok(rulesBrokenBy(folder, source).includes(rule), `lint let it pass: ${source}`);
  });
}

test("house rule: the platform folder may read the clock", () => {
  assert.deepEqual(rulesBrokenBy("protocol/platform", "export const now = Date.now();\n"), []);
});
