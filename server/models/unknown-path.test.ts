import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { deviceModel } from "../registration/device-model.ts";

const { names, faultOf } = deviceModel(openCatalogue(), undefined);
const isNone = "is no path, and no name in the object model";
const ids = "expected a number from 0 to 65534 without leading zeros";

for (const [text, why] of [
  ["device/0/batteryLvl", 'Device has no resource "batteryLvl"; batteryLevel?'],
  ["device/0/bat", 'Device has no resource "bat"; batteryLevel?'],
  ["/3/0/x", 'Device has no resource "x"'],
  ["devise/0/batteryLevel", 'no object is named "devise"; device?'],
  ["qqqqqqqqqqqq", 'no object is named "qqqqqqqqqqqq"'],
  ["/65536", `got "65536" for an object, ${ids}`],
  ["/3/x", `got "x" for an instance, ${ids}`],
  ["/3/00", `got "00" for an instance, ${ids}`],
  ["/3/0/65535", `got "65535" for a resource, ${ids}`],
  ["/3/0/11/error", `got "error" for a resource instance, ${ids}`],
  ["/3/0/11/0/1", "got 5 parts, expected at most 4 (object/instance/resource/resource instance)"],
  ["/3/", `got "" for an instance, ${ids}`],
  ["/64999/0/value", `got "value" for a resource, ${ids}`],
  ["", 'no object is named ""'],
] as const) {
  test(`LwM2M Core 1.1 §7.2: what is wrong with ${JSON.stringify(text)}`, () => {
    assert.equal(names.find(text), undefined);
    assert.equal(faultOf(text), `${JSON.stringify(text)} ${isNone}: ${why}`);
  });
}

test("a long text is cut; none takes long", () => {
  const long = "x".repeat(100_000);
  assert.ok(faultOf(`device/0/${long}`).length < 300);
  assert.ok(faultOf(`${long}/0`).length < 300);
});
