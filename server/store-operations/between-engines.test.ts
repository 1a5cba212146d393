import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { apiKey, ServerProcess } from "../crash/platform/server-process.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import { ferretSuite } from "../testing/platform/store-suite.ts";

const program = fileURLToPath(new URL("../store-main.js", import.meta.url));
const deviceKey = Buffer.from("a very secret key").toString("base64");

async function store(args: readonly string[], settings: { readonly [name: string]: string }): Promise<string> {
  const child = spawn(process.execPath, [program, ...args], { env: { PATH: process.env["PATH"] ?? "", ...settings } });
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  const [code] = await once(child, "close");
  return `${code} ${said}`;
}

/** A data directory as a server left it, with points of two series. */
async function filledDirectory(dataDir: string): Promise<void> {
  const server = new ServerProcess(dataDir);
  await server.start();
  try {
    const call = async (path: string, body: string, type: string): Promise<void> => {
      const headers = { authorization: `Bearer ${apiKey}`, "content-type": type };
      const reply = await fetch(`${server.origin}/api/v1${path}`, { method: "POST", headers, body });
      assert.ok(reply.ok, `${path}: ${reply.status} ${await reply.text()}`);
    };
    await call("/packages?name=demo&version=1", "the content of a package ".repeat(20_000), "application/octet-stream");
    await call("/credentials", JSON.stringify({ endpoint: "ep", kind: "psk", identity: "ep", key: deviceKey }), "application/json");
  } finally {
    await server.stop();
  }
  const opened = await openEmbeddedStore({ directory: dataDir, collections: [] });
  // Written in another order than they are listed in.
  for (const [endpoint, path] of [
    ["ep", "/3303/1/5700"],
    ["ep 2", "/3303/0/5700"],
    ["ep", "/3303/0/5700"],
  ] as const) {
    const values = [1, 2.5, "9223372036854775807", null, { "a.b": ["$x", true] }];
    await opened.telemetry.append(
      values.map((value, n) => ({ endpoint, path, timeMs: n * 0.5 - 1, receivedMs: 1_700_000_000_000 + n, value })),
    );
  }
  await opened.close();
}

ferretSuite(
  "Export and import between engines, FerretDB",
  (ferret) => {
    test("embedded to FerretDB to embedded: the three files are equal, secrets stay sealed; a cut file and a used database are refused", async (t) => {
      const root = await mkdtemp(join(tmpdir(), "between-engines-"));
      t.after(() => rm(root, { recursive: true }));
      const file = (name: string): string => join(root, `${name}.ndjson`);
      const at = (directory: string) => ({ DATA_DIR: join(root, directory) });
      // The local copies of blobs of one have nothing to do with those of the other.
      const onFerret = (database: string) => ({ ...at(`cache-${database}-${++uses}`), MONGO_URL: ferret().url(database) });
      let uses = 0;
      await filledDirectory(join(root, "first"));
      assert.match(await store(["export", file("first")], at("first")), /^0 .*15 points, 1 blobs/);
      assert.match(await store(["import", file("first")], onFerret("there")), /^0 .*15 points, 1 blobs/s);
      assert.match(await store(["export", file("second")], onFerret("there")), /^0 .*15 points, 1 blobs/s);
      assert.match(await store(["verify"], onFerret("there")), /^0 .*everything was read and is whole/s);
      assert.match(await store(["migrate"], onFerret("there")), /^0 .*the store has schema version \d+, that of this server/s);
      assert.match(await store(["import", file("second")], at("third")), /^0 /);
      assert.match(await store(["export", file("third")], at("third")), /^0 /);
      const [first, second, third] = await Promise.all(["first", "second", "third"].map((name) => readFile(file(name), "utf8")));
      assert.ok(first !== undefined && first.length > 600_000);
      assert.ok(second === first, "FerretDB gives back another file");
      assert.ok(third === first, "the embedded store gives back another file");
      for (const form of [deviceKey, "a very secret key"]) assert.ok(!first.includes(form), "a secret is in the clear");

      assert.match(await store(["import", file("first")], onFerret("there")), /^1 .*the store is not empty/s);
      const lines = first.split("\n");
      await writeFile(file("cut"), lines.slice(0, -3).join("\n"));
      assert.match(await store(["import", file("cut")], onFerret("cut")), /^1 .*cut off\. What was in it up to there is imported/s);
      await writeFile(file("broken"), lines.with(3, "{").join("\n"));
      assert.match(
        await store(["import", file("broken")], onFerret("broken")),
        /^1 .*line 4: this is no JSON\. What was in it up to there/s,
      );
    });
  },
  { inMemory: true },
);
