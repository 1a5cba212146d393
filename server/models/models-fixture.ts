/** Object models of tests, and a device that registers one of them. */
import assert from "node:assert/strict";
import { anItem, anObject, type ObjectFixture } from "@lwm2m/object-registry/testing/ddf-fixtures";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import { type OneDevice, oneDevice } from "../testing/one-device.ts";
import { type Answered, at } from "../testing/rest.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const ofVersion = (version: string): Pick<ObjectFixture, "urn" | "versions"> => ({
  urn: `urn:oma:lwm2m:x:32999:${version}`,
  versions: `<ObjectVersion>${version}</ObjectVersion>`,
});
export const tank = (version = "1.0", more: ObjectFixture = {}): string =>
  anObject({ id: "32999", name: "Tank", ...ofVersion(version), ...more });
export const silo = anObject({ id: "32998", name: "Silo" });

export const items = [
  anItem({ id: "0", name: "Serial Number", operations: "R", type: "Unsigned Integer", range: "0..18446744073709551615" }),
  anItem({ id: "1", name: "Fill Level", operations: "R", type: "Float", units: "m3" }),
  anItem({ id: "2", name: "Mode", type: "Integer", range: "0: off 1: on 255: unknown" }),
  anItem({ id: "3", name: "Balance", type: "Integer", range: "-9223372036854775808..9223372036854775807" }),
  anItem({ id: "4", name: "Drain", operations: "E", type: "" }),
];

/** LwM2M Core 1.0 §6.4.3: Serial Number 2^64-1, Fill Level 12.5, Mode 1. */
const tlv = new Uint8Array([0xc8, 0, 8, ...Array(8).fill(0xff), 0xc4, 1, 0x41, 0x48, 0, 0, 0xc1, 2, 1]);

export const namesAndValues = (body: Answered["body"]): unknown => {
  const values = at(body, "result", "values");
  assert.ok(Array.isArray(values));
  return values.map((value) => [at(value, "name"), at(value, "value")]);
};

export function onlySummary(reply: Answered): unknown {
  const { change: _, ...summary } = at(reply.body, "models", 0) as { readonly [member: string]: unknown };
  return summary;
}

export interface ModelsOfOne {
  readonly one: OneDevice;
  /** Uploads a definition file. */
  post(xml: string, address?: string): Promise<Answered>;
  /** The device is asked for all of its tank. */
  readTank(): Promise<Answered>;
  /** Each as `id/version source`. */
  listed(search: string): Promise<unknown>;
}

/** To be called where the tests are declared. */
export function modelsOfOne(): ModelsOfOne {
  const one = oneDevice({ query: ["lt=86400", "lwm2m=1.0", "b=U"], links: "</3/0>,</32999>;ver=1.0,</32999/0>" });
  return {
    one,
    post: (xml, address = "/models") => one.rest("POST", address, { upload: [bytes(xml)] }),
    readTank() {
      one.device.answers.set("GET /32999/0", { code: ResponseCode.content, contentFormat: ContentFormat.tlv, payload: tlv });
      return one.rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/32999/0" } });
    },
    async listed(search) {
      const found = at((await one.rest("GET", `/models?${search}`)).body, "items");
      assert.ok(Array.isArray(found));
      return found.map((item) => `${at(item, "id")}/${at(item, "version")} ${at(item, "source")}`);
    },
  };
}
