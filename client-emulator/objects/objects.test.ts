import assert from "node:assert/strict";
import { test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { openWorld } from "../testing/world.ts";
import { setTemperature } from "./temperature-object.ts";

const plain = { accept: ContentFormat.text };
const text = (value: string) => ({ contentFormat: ContentFormat.text, payload: new TextEncoder().encode(value) });

test("IPSO object 3303: extremes follow the value and are reset", async () => {
  const world = openWorld();
  const client = await world.open();
  const values = async () => Promise.all([5700, 5601, 5602].map((id) => client.tree.value(3303, 0, id)?.value));
  for (const value of [25, 15, 20]) setTemperature(client.tree, 0, value);
  assert.deepEqual(await values(), [20, 15, 25]);
  assert.equal(await world.server.ask(Method.post, "/3303/0/5605"), "2.04");
  assert.deepEqual(await values(), [20, 20, 20]);
  await world.close();
});

test("IPSO object 3303: every sensor wanders by itself, in small steps within its range", async () => {
  const world = openWorld();
  const client = await world.open({ sensors: 2, sensorIntervalSeconds: 5 });
  const courses: number[][] = [[], []];
  for (let minute = 0; minute < 20; minute += 1) {
    await world.clock.advance(5_000);
    courses.forEach((course, id) => {
      course.push(Number(client.tree.value(3303, id, 5700)?.value));
    });
  }
  for (const course of courses) {
    assert.ok(new Set(course).size > 5, `${course}`);
    course.reduce((last, next) => {
      assert.ok(Math.abs(next - last) < 0.7, `${last} to ${next}`);
      return next;
    });
  }
  assert.notDeepEqual(courses[0], courses[1]);
  await world.close();
});

test("LwM2M object 3: the clock runs, can be set, and goes on from there", async () => {
  const world = openWorld();
  await world.open();
  const now = Math.floor(world.clock.now() / 1_000);
  assert.equal(await world.server.ask(Method.get, "/3/0/13", plain), `2.05 ${now}`);
  assert.equal(await world.server.ask(Method.put, "/3/0/13", text("1000000000")), "2.04");
  await world.clock.advance(10_000);
  assert.match(await world.server.ask(Method.get, "/3/0/13", plain), /^2\.05 10000000(09|10)$/);
  await world.close();
});

test("LwM2M object 3: factory reset forgets what servers wrote", async () => {
  const world = openWorld();
  await world.open();
  await world.server.ask(Method.put, "/1/0/1", text("60"));
  await world.server.ask(Method.put, "/3303/0/5700", { query: ["pmin=7"] });
  assert.equal(await world.server.ask(Method.post, "/3/0/5"), "2.04");
  await world.clock.advance(5_000);
  assert.match(world.server.seen.at(-1) ?? "", /POST \/rd\?ep=dev&lwm2m=1\.1&lt=300/);
  assert.equal(await world.server.ask(Method.get, "/3303/0/5700", { accept: ContentFormat.linkFormat }), "2.05 </3303/0/5700>");
  await world.close();
});
