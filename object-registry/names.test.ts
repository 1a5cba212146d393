import assert from "node:assert/strict";
import { test } from "node:test";
import { findPath, formatPath, parsePath } from "@lwm2m/protocol/lwm2m/path";
import { openCatalogue } from "./catalogue.ts";
import { parseDdf } from "./ddf-parser.ts";
import { camelName, pathNames } from "./names.ts";
import { composeRegistries, registryOf } from "./registry.ts";
import { aDdf, anItem, anObject } from "./testing/ddf-fixtures.ts";

const catalogue = openCatalogue();
const names = pathNames(catalogue);

test("names: the rule, on names of the registry", () => {
  const examples = {
    "Battery Level": "batteryLevel",
    "LWM2M  Server URI": "lwm2mServerUri",
    "LwM2M Server": "lwm2mServer",
    "Package URI": "packageUri",
    PkgName: "pkgName",
    "SMS Tx Counter": "smsTxCounter",
    "On/Off": "onOff",
    APNName: "apnName",
    "3GPP Cell": "3gppCell",
    "TLS-DTLS Alert Code": "tlsDtlsAlertCode",
    "5700": "",
    "%": "",
  };
  for (const [name, expected] of Object.entries(examples)) assert.equal(camelName(name), expected, name);
});

test("names: paths at each level, both ways", () => {
  const examples = {
    "/3": "device",
    "/3/0": "device/0",
    "/3/0/9": "device/0/batteryLevel",
    "/3/0/7/1": "device/0/powerSourceVoltage/1",
    "/5/0/2": "firmwareUpdate/0/update",
    "/1/12/1": "lwm2mServer/12/lifetime",
    "/3303/0/5700": "temperature/0/sensorValue",
    "/3/0/999": "device/0/999",
    "/64999/0/5": "64999/0/5",
  };
  for (const [path, named] of Object.entries(examples)) {
    assert.equal(names.format(parsePath(path)), named);
    assert.deepEqual(names.find(named), findPath(path));
    assert.deepEqual(names.find(`/${named.toUpperCase()}`), findPath(path), "without regard to case");
    assert.deepEqual(names.find(path), findPath(path), "numbers are paths too");
  }
  assert.deepEqual(names.find("device/0/9"), findPath("/3/0/9"));
  assert.deepEqual(names.find("3/0/batteryLevel"), findPath("/3/0/9"));
  assert.deepEqual(names.find("device/0/batteryLevel_9"), findPath("/3/0/9"));
});

test("names: what is no path finds nothing", () => {
  const wrong = [
    "",
    "/",
    "devise",
    "device/",
    "device/x",
    "device/0/flux",
    "device/0/batteryLevel/x",
    "device/0/9/0/0",
    "/65535",
    "3/-1",
    "device//9",
    "03/0",
  ];
  for (const text of wrong) assert.equal(names.find(text), undefined, text);
});

test("names: of equal names the lowest id keeps the plain form, so a custom model never renames a published object", () => {
  const items = ["Level", "LEVEL", "%"].map((name, index) => anItem({ id: String(index + 1), name }));
  const custom = registryOf(parseDdf(aDdf([anObject({ name: "Device", items })])));
  const both = pathNames(composeRegistries(custom, catalogue));
  assert.equal(both.format(parsePath("/3/0/9")), "device/0/batteryLevel");
  assert.equal(both.format(parsePath("/33000/0/1")), "device_33000/0/level");
  assert.equal(both.format(parsePath("/33000/0/2")), "device_33000/0/level_2");
  assert.equal(both.format(parsePath("/33000/0/3")), "device_33000/0/3");
  assert.deepEqual(both.find("device_33000/0/level_2"), findPath("/33000/0/2"));
});

test("names: every resource of every published object is found again by its name", () => {
  for (const object of catalogue.list()) {
    for (const resourceId of object.resources.keys()) {
      const path = { objectId: object.id, instanceId: 0, resourceId };
      assert.deepEqual(names.find(names.format(path)), path, formatPath(path));
    }
  }
});

test("names: of a device they come from the version it registered", () => {
  const before = pathNames(catalogue, () => catalogue.find(5, "1.0"));
  assert.equal(before.find("firmwareUpdate/0/severity"), undefined);
  assert.deepEqual(names.find("firmwareUpdate/0/severity"), findPath("/5/0/11"));
});
