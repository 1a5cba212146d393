import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { oneDevice } from "../testing/one-device.ts";
import { bytes, senmlValue } from "../testing/scripted-device.ts";
import type { OperationRequest } from "./operation.ts";

const changed: OutgoingResponse = { code: ResponseCode.changed };
const battery = "/3/0/9";

const one = oneDevice({ query: ["lt=86400", "lwm2m=1.1", "b=U"] });

describe("LwM2M Core 1.1 §6.2.1: the alternate root stands before the address and the names of every operation", () => {
  const root = '</lwm2m>;rt="oma.lwm2m";ct=110,</lwm2m/1/0>,</lwm2m/3/0>,</lwm2m/3303/0>';
  const at = (path: string): string => `/lwm2m${path}`;
  const linkFormat = (text: string): OutgoingResponse => ({ code: ResponseCode.content, contentFormat: 40, payload: bytes(text) });

  const operations: readonly {
    readonly request: Omit<OperationRequest, "path"> & { readonly path?: string };
    readonly asked: string;
    readonly answer: OutgoingResponse;
    readonly payload?: string;
  }[] = [
    { request: { kind: "read", path: battery }, asked: `GET ${at(battery)}`, answer: senmlValue(at(battery), 55) },
    {
      request: { kind: "write", path: "/3/0/14", value: "Z" },
      asked: `PUT ${at("/3/0/14")}`,
      answer: changed,
      payload: '[{"bn":"/lwm2m/3/0/14","vs":"Z"}]',
    },
    { request: { kind: "write", path: "/3/0", value: { "14": "Z" }, mode: "update" }, asked: "POST /lwm2m/3/0", answer: changed },
    { request: { kind: "execute", path: "/3/0/4" }, asked: "POST /lwm2m/3/0/4", answer: changed },
    {
      request: { kind: "create", path: "/3303", instanceId: 2, value: {} },
      asked: "POST /lwm2m/3303",
      answer: { code: ResponseCode.created, locationPath: ["lwm2m", "3303", "2"] },
    },
    { request: { kind: "delete", path: "/3303/2" }, asked: "DELETE /lwm2m/3303/2", answer: { code: ResponseCode.deleted } },
    { request: { kind: "discover", path: "/3/0" }, asked: "GET /lwm2m/3/0", answer: linkFormat("</lwm2m/3/0>,</lwm2m/3/0/9>;pmin=3") },
    { request: { kind: "writeAttributes", path: battery, attributes: { pmin: 1 } }, asked: `PUT ${at(battery)}?pmin=1`, answer: changed },
    { request: { kind: "observe", path: battery }, asked: `GET ${at(battery)} observe 0`, answer: senmlValue(at(battery), 55) },
    {
      request: { kind: "readComposite", paths: [battery] },
      asked: "FETCH /lwm2m",
      answer: senmlValue(at(battery), 55),
      payload: `[{"n":"${at(battery)}"}]`,
    },
    {
      request: { kind: "observeComposite", paths: ["/"] },
      asked: "FETCH /lwm2m observe 0",
      answer: senmlValue(at(battery), 55),
      payload: '[{"n":"/lwm2m"}]',
    },
    {
      request: { kind: "writeComposite", values: { "/3/0/14": "Z" } },
      asked: "IPATCH /lwm2m",
      answer: changed,
      payload: '[{"bn":"/lwm2m/3/0/14","vs":"Z"}]',
    },
  ];
  for (const { request, asked, answer, payload } of operations) {
    test(request.kind, async () => {
      await one.device.register();
      await one.device.register({ links: root });
      one.device.answers.set(asked.replace(/ observe.*/, ""), answer);
      const operation = await one.world.carryOut("dev-1", { path: "/", ...request });
      assert.equal(operation.status, "succeeded", String(operation.detail));
      assert.deepEqual(one.device.asked, [asked]);
      if (payload !== undefined) {
        assert.deepEqual(
          one.device.requests.map((heard) => Buffer.from(heard.payload).toString("latin1")),
          [payload],
        );
      }
      if (operation.result?.kind === "values") {
        assert.deepEqual(
          operation.result.values.map(({ path, value }) => [path, value]),
          [[battery, 55]],
        );
      }
      if (operation.result?.kind === "created") assert.equal(operation.result.path, "/3303/2");
      if (operation.result?.kind === "links")
        assert.deepEqual(
          operation.result.links.map(({ path }) => path),
          ["/3/0", battery],
        );
    });
  }
});
