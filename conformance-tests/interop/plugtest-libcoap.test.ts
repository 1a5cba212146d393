/** ETSI CoAP plugtest cases with libcoap on the other side: its client against our endpoint, our endpoint against its server. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingResponse, OutgoingRequest, Peer } from "@lwm2m/protocol/coap/message";
import { defaultParameters } from "@lwm2m/protocol/coap/parameters";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import { largeBody, PlugtestSite } from "@lwm2m/protocol/testing/plugtest-site";
import { Child } from "./platform/child.ts";
import { eventuallySucceeds } from "./platform/deadline.ts";
import { type CoapAnswer, type CoapRequest, coapRequest } from "./platform/libcoap.ts";
import { removeDirectory, temporaryDirectory } from "./platform/locations.ts";
import { stablePort } from "./platform/ports.ts";
import { interopSuite } from "./platform/suite.ts";

const loopback = "127.0.0.1";

async function anEndpoint(blockSizeBytes = defaultParameters.blockSizeBytes): Promise<CoapEndpoint> {
  return openCoapEndpoint({
    socket: await openUdpSocket({ address: loopback, port: 0 }),
    clock: systemClock,
    random: systemRandom,
    parameters: { ...defaultParameters, blockSizeBytes },
  });
}

interopSuite("ETSI plugtest: libcoap's client, our endpoint as server", ["libcoap"], () => {
  let endpoint: CoapEndpoint;
  let site: PlugtestSite;
  let directory: string;
  before(async () => {
    directory = await temporaryDirectory();
    endpoint = await anEndpoint();
    site = new PlugtestSite(endpoint, systemClock);
  });
  after(async () => {
    await endpoint?.close();
    await removeDirectory(directory);
  });
  const send = (method: string, path: string, request: Partial<CoapRequest> = {}): Promise<CoapAnswer> =>
    coapRequest(method, `coap://${loopback}:${endpoint.local.port}${path}`, { directory, ...request });
  const textOf = ({ payload }: CoapAnswer): string => Buffer.from(payload).toString();

  for (const { id, method, code, nonConfirmable } of [
    { id: "01", method: "get", code: "2.05", nonConfirmable: false },
    { id: "02", method: "delete", code: "2.02", nonConfirmable: false },
    { id: "03", method: "put", code: "2.04", nonConfirmable: false },
    { id: "04", method: "post", code: "2.01", nonConfirmable: false },
    { id: "05", method: "get", code: "2.05", nonConfirmable: true },
    { id: "06", method: "delete", code: "2.02", nonConfirmable: true },
    { id: "07", method: "put", code: "2.04", nonConfirmable: true },
    { id: "08", method: "post", code: "2.01", nonConfirmable: true },
  ]) {
    test(`TD_COAP_CORE_${id}: ${method}, ${nonConfirmable ? "NON" : "CON"}`, async () => {
      const payload = method === "put" || method === "post" ? { payload: "body", contentFormat: 0 } : {};
      assert.equal((await send(method, "/test", { nonConfirmable, ...payload })).code, code);
    });
  }

  for (const { id, nonConfirmable } of [
    { id: "09", nonConfirmable: false },
    { id: "17", nonConfirmable: true },
  ]) {
    test(`TD_COAP_CORE_${id}: separate response to ${nonConfirmable ? "NON" : "CON"}`, async () => {
      const answer = await send("get", "/separate", { nonConfirmable, timeoutSeconds: 10 });
      assert.deepEqual([answer.code, textOf(answer)], ["2.05", "separate"]);
    });
  }

  test("TD_COAP_CORE_10, _11: a token given by hand", async () => {
    assert.equal(textOf(await send("get", "/test", { args: ["-T", "plugtest"] })), "test");
    assert.equal(textOf(await send("get", "/separate", { args: ["-T", "plugtest"], timeoutSeconds: 10 })), "separate");
  });

  test("TD_COAP_CORE_13, _14: several segments, several arguments", async () => {
    assert.equal(textOf(await send("get", "/seg1/seg2/seg3")), "/seg1/seg2/seg3");
    assert.equal(textOf(await send("get", "/query?first=1&second=2&third=3")), "first=1&second=2&third=3");
  });

  test("TD_COAP_CORE_18, _19: where the created resource is", async () => {
    assert.equal((await send("post", "/test")).location, "location1/location2/location3");
    const { trace } = await send("post", "/location-query");
    assert.ok(
      trace.some((line) => line.includes("Location-Query:first=1, Location-Query:second=2")),
      trace.join("\n"),
    );
  });

  test("TD_COAP_CORE_20: Accept", async () => {
    assert.equal(textOf(await send("get", "/multi-format", { accept: 0 })), "v");
    assert.equal(textOf(await send("get", "/multi-format", { accept: 41 })), "<v/>");
    assert.equal((await send("get", "/multi-format", { accept: 50 })).code, "4.06");
  });

  test("TD_COAP_CORE_22, _23: preconditions", async () => {
    const put = (path: string, option: string) => send("put", path, { payload: "x", contentFormat: 0, args: ["-O", option] });
    assert.equal((await put("/validate", "1,stale")).code, "4.12");
    assert.equal((await put("/create-libcoap", "5,")).code, "2.01");
    assert.equal((await put("/create-libcoap", "5,")).code, "4.12");
  });

  test("TD_COAP_LINK_01, _02, _05, _07: resources, whole and filtered", async () => {
    assert.match(textOf(await send("get", "/.well-known/core")), /^<\/test>;rt="test";ct=0,/);
    assert.equal(textOf(await send("get", "/.well-known/core?rt=test")), '</test>;rt="test";ct=0');
    assert.match(textOf(await send("get", "/.well-known/core?if=If*")), /^<\/link1>[^<]*<\/link2>[^<]*$/);
    assert.match(textOf(await send("get", "/.well-known/core?href=/link1")), /^<\/link1>[^<]*$/);
  });

  for (const { id, blockSize } of [
    { id: "01", blockSize: 512 },
    { id: "02", blockSize: undefined },
    { id: "06", blockSize: 16 },
  ]) {
    test(`TD_COAP_BLOCK_${id}: GET of a large resource, ${blockSize ?? "the server's"} bytes a block`, async () => {
      const answer = await send("get", "/large", blockSize === undefined ? {} : { blockSize });
      assert.ok(Buffer.from(answer.payload).equals(largeBody), `${answer.payload.length} bytes`);
      assert.equal(answer.messages, Math.ceil(largeBody.length / (blockSize ?? 1_024)));
    });
  }

  test("TD_COAP_BLOCK_03, _04, _05: large bodies to us and both ways", async () => {
    const upload = { payload: Buffer.from(largeBody).toString(), contentFormat: 0, blockSize: 256 };
    assert.equal((await send("put", "/large-update", upload)).code, "2.01");
    assert.ok(Buffer.from((await send("get", "/large-update")).payload).equals(largeBody));
    assert.equal((await send("post", "/large-create", upload)).code, "2.01");
    assert.ok(Buffer.from((await send("get", "/large-create")).payload).equals(largeBody));
    const both = await send("post", "/large-post", upload);
    assert.equal(both.code, "2.04", both.trace.slice(-5).join("\n"));
    assert.ok(Buffer.from(both.payload).equals(largeBody), `${both.payload.length} bytes`);
  });

  for (const { id, path, confirmable } of [
    { id: "01", path: "obs", confirmable: true },
    { id: "02", path: "obs-non", confirmable: false },
  ]) {
    test(`TD_COAP_OBS_${id}, _12: notifications, ${confirmable ? "CON" : "NON"}, until libcoap cancels`, async () => {
      const observing = send("get", `/${path}`, { args: ["-s", "2"], timeoutSeconds: 4 });
      await eventuallySucceeds("the relation", 3_000, async () => assert.equal(site.observers.get(path)?.size, 1));
      for (const body of ["one", "two"]) await site.change(path, Buffer.from(body), confirmable);
      const answer = await observing;
      assert.match(textOf(answer), /onetwo/, answer.trace.join("\n"));
      await eventuallySucceeds("the end of the relation", 3_000, async () => assert.equal(site.observers.get(path)?.size, 0));
    });
  }
});

interopSuite("ETSI plugtest: our endpoint as client, libcoap's server", ["libcoap"], () => {
  let endpoint: CoapEndpoint;
  let server: Child;
  let peer: Peer;
  before(async () => {
    const port = await stablePort("udp");
    endpoint = await anEndpoint(256);
    server = new Child("coap-server", "coap-server-notls", ["-A", loopback, "-p", String(port), "-d", "10"]);
    peer = endpoint.peerAt({ address: loopback, port });
    await eventuallySucceeds("libcoap's server", 5_000, async () => {
      const outcome = await endpoint.request(peer, { method: Method.get, path: [] }, { timeoutMs: 500 });
      if (!outcome.ok) throw new Error(outcome.reason);
    });
  });
  after(async () => {
    await endpoint?.close();
    await server?.stop();
  });
  const ask = async (request: OutgoingRequest): Promise<IncomingResponse> => {
    const outcome = await endpoint.request(peer, request, { timeoutMs: 15_000 });
    assert.ok(outcome.ok, JSON.stringify(outcome));
    return outcome.response;
  };
  const textOf = ({ payload }: IncomingResponse): string => Buffer.from(payload).toString();

  for (const confirmable of [true, false]) {
    const ids = confirmable ? ["03", "01", "02"] : ["07", "05", "06"];
    test(`TD_COAP_CORE_${ids.join(", _")}: PUT, GET, DELETE, ${confirmable ? "CON" : "NON"}`, async () => {
      const path = [`core-${ids[0]}`];
      const payload = Buffer.from("value");
      assert.equal((await ask({ method: Method.put, path, payload, contentFormat: 0, confirmable })).code, ResponseCode.created);
      assert.equal(textOf(await ask({ method: Method.get, path, confirmable })), "value");
      assert.equal((await ask({ method: Method.delete, path, confirmable })).code, ResponseCode.deleted);
      assert.equal((await ask({ method: Method.get, path, confirmable })).code, ResponseCode.notFound);
    });
  }

  test("TD_COAP_CORE_09, _11: a separate response", async () => {
    assert.equal(textOf(await ask({ method: Method.get, path: ["async"], query: ["1"] })), "done");
  });

  test("TD_COAP_LINK_01, _02: resources, whole and filtered", async () => {
    const all = await ask({ method: Method.get, path: [".well-known", "core"] });
    assert.equal(all.contentFormat, 40);
    assert.match(textOf(all), /<\/time>/);
    assert.match(textOf(await ask({ method: Method.get, path: [".well-known", "core"], query: ["rt=ticks"] })), /^<\/time>[^<]*$/);
  });

  test("TD_COAP_BLOCK_01, _03: a large body there and back in blocks of 256", async () => {
    const upload = await ask({ method: Method.put, path: ["large"], payload: largeBody, contentFormat: 0 });
    assert.equal(upload.code, ResponseCode.created);
    const download = await ask({ method: Method.get, path: ["large"] });
    assert.ok(Buffer.from(download.payload).equals(largeBody), `${download.payload.length} bytes`);
  });

  test("TD_COAP_OBS_01, _12: a resource that changes every second, then the active cancel", async () => {
    const seen: string[] = [];
    const listener = { onNotification: (response: IncomingResponse) => void seen.push(textOf(response)), onEnd: () => {} };
    const outcome = await endpoint.observe(peer, { method: Method.get, path: ["time"] }, listener, { timeoutMs: 5_000 });
    assert.ok(outcome.ok && outcome.observing, JSON.stringify(outcome));
    await eventuallySucceeds("two notifications", 6_000, async () => assert.ok(seen.length >= 2));
    assert.equal(new Set(seen).size, seen.length, "no notification twice");
    assert.deepEqual(await outcome.observation.cancel("active"), { ok: true });
  });
});
