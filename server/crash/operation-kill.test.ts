/** Every kind of operation, and the server dead before or after each write between its creation and its end. `KILLS=all` tries each one. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { finalStatuses, type Operation, type OperationRequest } from "../operations/operation.ts";
import { type Kill, KillTally, killsOf, Mortal } from "../testing/kills.ts";
import { bytes, content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";

interface Case {
  readonly request: OperationRequest;
  /** What the device hears, as `ScriptedDevice` writes it. */
  readonly line: string;
  readonly answer: OutgoingResponse;
  /** Before the server may die. */
  readonly first?: OperationRequest;
  readonly isOnce?: boolean;
  readonly query?: readonly string[];
}

const changed: OutgoingResponse = { code: ResponseCode.changed };
const temperature = "/3303/0/5700";
const battery = "/3/0/9";
const both = content(`[{"n":"${battery}","v":55},{"n":"${temperature}","v":20.5}]`);
const observe: OperationRequest = { kind: "observe", path: temperature };
const paths = [battery, temperature];

const cases: readonly Case[] = [
  { request: { kind: "read", path: battery }, line: `GET ${battery}`, answer: senmlValue(battery, 55) },
  { request: { kind: "write", path: "/3/0/15", value: "UTC" }, line: "PUT /3/0/15", answer: changed },
  { request: { kind: "writeAttributes", path: temperature, attributes: { pmin: 5 } }, line: `PUT ${temperature}?pmin=5`, answer: changed },
  { request: { kind: "execute", path: "/3/0/4" }, line: "POST /3/0/4", answer: changed, isOnce: true },
  {
    request: { kind: "create", path: "/3303", value: { "5701": "Cel" } },
    line: "POST /3303",
    answer: { code: ResponseCode.created, locationPath: ["3303", "7"] },
    isOnce: true,
  },
  { request: { kind: "delete", path: "/3303/0" }, line: "DELETE /3303/0", answer: { code: ResponseCode.deleted } },
  {
    request: { kind: "discover", path: "/3303/0" },
    line: "GET /3303/0",
    answer: { code: ResponseCode.content, contentFormat: ContentFormat.linkFormat, payload: bytes(`</3303/0>,<${temperature}>`) },
  },
  { request: observe, line: `GET ${temperature}`, answer: senmlValue(temperature, 20.5) },
  {
    request: { kind: "cancelObserve", path: temperature },
    first: observe,
    line: `GET ${temperature}`,
    answer: senmlValue(temperature, 20.5),
  },
  { request: { kind: "readComposite", path: "/", paths }, line: "FETCH /", answer: both },
  { request: { kind: "writeComposite", path: "/", values: { "/3/0/15": "UTC", "/3/0/14": "+01:00" } }, line: "IPATCH /", answer: changed },
  { request: { kind: "observeComposite", path: "/", paths }, line: "FETCH /", answer: both },
];

interface Course {
  readonly acknowledged: boolean;
  readonly operation: Operation | undefined;
  /** How often the device was asked. */
  readonly asked: number;
  readonly events: readonly string[];
  /** Of the creation until the end. */
  readonly writes: number;
  readonly wasKilled: boolean;
}

/** Virtual milliseconds after which an operation that meets one kill has ended. */
const longEnoughMs = 400_000;

/** One operation of a device that sleeps when it is ordered, and wakes twice a minute. */
async function run(one: Case, kill?: Kill): Promise<Course> {
  const world = await ServerWorld.open();
  const device = new ScriptedDevice(world, { query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"] });
  device.answers.set(one.line, one.answer);
  device.answers.set(`GET ${temperature}`, senmlValue(temperature, 20.5));
  device.answers.set("FETCH /", both);
  await device.register();
  if (one.first !== undefined) await world.carryOut("dev-1", one.first);
  await world.clock.advance(100_000);
  const askedBefore = device.asked.length;
  const mortal = new Mortal(world, kill);
  const actor = { actor: "test", traceId: "0".repeat(32) };
  const outcome = await world.until(world.server.operations.create("dev-1", one.request, actor)).catch(() => undefined);
  let writes = 0;
  let operation: Operation | undefined;
  for (let passedMs = 0; passedMs < longEnoughMs; passedMs += 500) {
    if (passedMs % 30_000 === 0) void device.request({ method: Method.post, path: device.location });
    await world.clock.advance(500);
    await mortal.revive();
    [operation] = (await world.until(world.server.operations.list({ endpoint: "dev-1", limit: 1 }))).filter(
      ({ kind }) => kind === one.request.kind,
    );
    if (operation === undefined || operation.open) continue;
    writes = mortal.writes;
    break;
  }
  await world.clock.advance(150_000);
  const events = await world.eventsOf("dev-1");
  const own = events.filter(({ data }) => Reflect.get(Object(data), "operationId") === operation?._id).map(({ type }) => type);
  assert.equal(new Set(events.map(({ sourceKey }) => sourceKey)).size, events.length, "an event is there twice");
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  const asked = device.asked.slice(askedBefore).filter((line) => line.startsWith(one.line)).length;
  return { acknowledged: outcome?.ok === true, operation, asked, events: own, writes, wasKilled: mortal.wasKilled };
}

const ends: readonly string[] = finalStatuses.map((status) => `operation.${status}`);
const tally = new KillTally();
after(() => tally.assertMost());

for (const [index, one] of cases.entries()) {
  test(`kill -9 between every two steps of ${one.request.kind}: it ends once, is told once, and is sent ${one.isOnce === true ? "once at most" : "until it is answered"}`, async () => {
    const undisturbed = await run(one);
    assert.deepEqual([undisturbed.operation?.status, undisturbed.asked], ["succeeded", 1], String(undisturbed.operation?.detail));
    // The moments that are left out differ from kind to kind.
    for (const kill of killsOf(undisturbed.writes, 9, index)) {
      const about = `killed ${kill.moment} write ${kill.nth}`;
      const course = await run(one, kill);
      const { acknowledged, operation, asked, events } = course;
      tally.note(course);
      if (operation === undefined) {
        assert.deepEqual([acknowledged, asked], [false, 0], about);
        continue;
      }
      assert.equal(operation.open, false, `${about}: ${operation.status}`);
      const unknown = operation.status === "failed" && operation.reason === "outcome-unknown";
      assert.ok(operation.status === "succeeded" || (one.isOnce === true && unknown), `${about}: ${operation.status} ${operation.detail}`);
      assert.equal(events.filter((type) => ends.includes(type)).length, 1, `${about}: ${events.join()}`);
      assert.equal(events.filter((type) => type === "operation.queued").length, 1, `${about}: ${events.join()}`);
      assert.ok(one.isOnce === true ? asked <= 1 : asked >= 1, `${about}: asked ${asked} times`);
    }
  });
}
