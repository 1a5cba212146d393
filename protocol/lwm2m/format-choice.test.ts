import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseFormat, formatsFor } from "./format-choice.ts";
import { parsePath } from "./path.ts";
import { unassignedInstanceId } from "./payload-contract.ts";

const removal = [{ path: parsePath("/3/0/7/1") }];
const unassigned = [
  { path: { objectId: 3303, instanceId: unassignedInstanceId, resourceId: 5701 }, value: { type: "string", value: "" } },
] as const;

test("LwM2M Core 1.1 §7.4: the format follows version and advertisement", () => {
  assert.equal(chooseFormat({ lwm2mVersion: "1.0", clientFormats: [112] }), 11_542);
  assert.equal(chooseFormat({ lwm2mVersion: "1.1", clientFormats: [] }), 11_542);
  assert.equal(chooseFormat({ lwm2mVersion: "1.1", clientFormats: [60, 110] }), 110);
  assert.equal(chooseFormat({ lwm2mVersion: "1.1", clientFormats: [11_544] }), 11_542, "1.1 does not know it");
  assert.equal(chooseFormat({ lwm2mVersion: "1.2", clientFormats: [110, 112] }), 112);
  assert.equal(chooseFormat({ lwm2mVersion: "1.2", clientFormats: [60, 110, 112, 11_544] }), 11_544);
});

test("LwM2M Core 1.1 §6.4.4: an observation is asked in SenML where the client has it, because it carries the times of kept values", () => {
  assert.equal(chooseFormat({ lwm2mVersion: "1.2", clientFormats: [112, 11_544], use: "timed" }), 112);
  assert.equal(chooseFormat({ lwm2mVersion: "1.2", clientFormats: [11_544], use: "timed" }), 11_544);
  assert.equal(chooseFormat({ lwm2mVersion: "1.2", clientFormats: [110, 11_544], use: "timedAnswer" }), 110);
});

test("LwM2M Core 1.2 §7.4.5: composite bodies are SenML-ETCH since 1.2, plain SenML before", () => {
  assert.deepEqual(formatsFor({ lwm2mVersion: "1.1", clientFormats: [], use: "paths" }), [112, 110]);
  assert.deepEqual(formatsFor({ lwm2mVersion: "1.1", clientFormats: [110, 322], use: "paths" }), [110, 112]);
  assert.deepEqual(formatsFor({ lwm2mVersion: "1.2", clientFormats: [], use: "paths" }), [322, 320, 112, 110]);
  assert.deepEqual(formatsFor({ lwm2mVersion: "1.2", clientFormats: [110, 320], use: "paths" }), [320, 110, 322, 112]);
  assert.deepEqual(formatsFor({ lwm2mVersion: "1.2", clientFormats: [11_544, 112], use: "patch" }), [11_544, 112, 322, 320, 110]);
  assert.deepEqual(formatsFor({ lwm2mVersion: "1.2", clientFormats: [112], use: "patch" }), [112, 322, 320, 110]);
  assert.deepEqual(formatsFor({ lwm2mVersion: "1.2", clientFormats: [112, 11_544], use: "patch", values: removal }), [322, 320]);
  assert.equal(chooseFormat({ lwm2mVersion: "1.2", clientFormats: [], use: "answer" }), 112);
});

test("LwM2M Core 1.1 §6.3.5: a Create without an instance identifier needs a format that can leave it out", () => {
  assert.deepEqual(formatsFor({ lwm2mVersion: "1.1", clientFormats: [112], values: unassigned }), [11_542]);
  assert.deepEqual(formatsFor({ lwm2mVersion: "1.2", clientFormats: [112, 11_544], values: unassigned }), [11_544, 11_542]);
});
