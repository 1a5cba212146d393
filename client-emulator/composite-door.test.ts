import assert from "node:assert/strict";
import { test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { setTemperature } from "./objects/temperature-object.ts";
import { openWorld } from "./testing/world.ts";

const json = (records: readonly object[]) => ({
  contentFormat: ContentFormat.senmlJson,
  payload: new TextEncoder().encode(JSON.stringify(records)),
});
const list = (...paths: string[]) => json(paths.map((n) => ({ n })));

/** Full names of the records of an answer, in order. */
function names(answer: string): readonly string[] {
  const records: { bn?: string; n?: string }[] = JSON.parse(answer.slice("2.05 ".length));
  let base = "";
  return records.map((record) => {
    base = record.bn ?? base;
    return base + (record.n ?? "");
  });
}

test("LightweightM2M-1.1-int-280, 281: Read-Composite answers what there is and can be read", async () => {
  const world = openWorld();
  await world.open();
  const answer = await world.server.ask(Method.fetch, "/", list("/1/0/1", "/3/0/11/0", "/1/0/8", "/9/0", "/0/0", "/3/0/16"));
  assert.deepEqual(names(answer), ["/1/0/1", "/3/0/11/0", "/3/0/16"]);
  assert.equal(await world.server.ask(Method.fetch, "/", list("/9")), "2.05 []");
  const all = names(await world.server.ask(Method.fetch, "/", list("/")));
  assert.deepEqual([...new Set(all.map((name) => name.split("/")[1]))], ["1", "3", "4", "5", "3303"]);
  await world.close();
});

test("LightweightM2M-1.1-int-230: Write-Composite is done as a whole, and a new lifetime is told", async () => {
  const world = openWorld();
  await world.open();
  assert.equal(
    await world.server.ask(
      Method.ipatch,
      "/",
      json([
        { n: "/1/0/1", v: 61 },
        { n: "/3/0/15", vs: "Asia/Tokyo" },
      ]),
    ),
    "2.04",
  );
  await world.clock.advance(100);
  assert.match(world.server.seen.at(-1) ?? "", /POST \/rd\/a1\?lt=61$/);
  assert.equal(await world.server.ask(Method.get, "/3/0/15", { accept: ContentFormat.text }), "2.05 Asia/Tokyo");
  await world.close();
});

test("LwM2M Core 1.1 §6.3.9: Write-Composite with one bad target writes nothing", async () => {
  const world = openWorld();
  await world.open();
  const table = [
    [{ n: "/3/0/0", vs: "x" }, /^4\.05/],
    [{ n: "/3/0/99", vs: "x" }, /^4\.04/],
    [{ n: "/9/0/1", v: 1 }, /^4\.04/],
    [{ n: "/0/0/0", vs: "x" }, /^4\.01/],
    [{ n: "/1/0/6", vs: "x" }, /^4\.00/],
  ] as const;
  for (const [record, expected] of table) {
    assert.match(await world.server.ask(Method.ipatch, "/", json([{ n: "/3/0/15", vs: "lost" }, record])), expected);
  }
  assert.equal(await world.server.ask(Method.get, "/3/0/15", { accept: ContentFormat.text }), "2.05 Etc/UTC");
  await world.close();
});

test("LightweightM2M-1.1-int-304, 309: Observe-Composite carries all targets, and goes on when one is gone", async () => {
  const world = openWorld();
  const client = await world.open();
  await world.server.ask(Method.post, "/3303");
  await world.server.ask(Method.put, "/3303/0/5700", { query: ["pmin=30", "pmax=45"] });
  const { values } = await world.server.observe("/", { method: Method.fetch, ...list("/3303/0/5700", "/3303/1/5700", "/3/0/16") });
  setTemperature(client.tree, 1, 25);
  await world.clock.advance(31_000);
  assert.deepEqual(
    values.map(([, answer]) => names(answer)),
    [
      ["/3303/0/5700", "/3303/1/5700", "/3/0/16"],
      ["/3303/0/5700", "/3303/1/5700", "/3/0/16"],
    ],
  );
  await world.clock.advance(46_000);
  assert.equal(values.length, 3, "pmax");
  await world.server.ask(Method.delete, "/3303/1");
  await world.clock.advance(31_000);
  assert.deepEqual(names(values.at(-1)?.[1] ?? ""), ["/3303/0/5700", "/3/0/16"]);
  await world.close();
});

test("LwM2M 1.0: a client of the first release knows no composite operations", async () => {
  const world = openWorld();
  await world.open({ lwm2mVersion: "1.0" });
  assert.match(await world.server.ask(Method.fetch, "/", list("/3")), /^4\.0[45]/);
  await world.close();
});
