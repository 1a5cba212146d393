/** aiocoap and our endpoint beyond the plugtest: bodies in every block size both ways, Observe in blocks, Echo, Request-Tag, ping. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { type MeasuredEndpoint, openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import type { IncomingResponse, OutgoingRequest, Peer } from "@lwm2m/protocol/coap/message";
import { OptionNumber } from "@lwm2m/protocol/coap/options";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { loopback, openQuickEndpoint, quickParameters } from "../plugtest/platform/our-parties.ts";
import { eventually, patienceMs } from "./platform/deadline.ts";
import { numberOf, objectOf, type PythonObject, PythonPeer } from "./platform/python-peer.ts";
import { interopSuite } from "./platform/suite.ts";

const blockSizes = [16, 32, 64, 128, 256, 512, 1_024];
const optionEcho = 252;
const optionRequestTag = 292;
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
/** Not a multiple of any block size. */
const bodyOf = (seed: number, length = 3_333): Uint8Array => seededRandom(seed).bytes(length);

interopSuite("aiocoap's client, our endpoint as server", ["python"], () => {
  let python: PythonPeer;
  let endpoint: MeasuredEndpoint;
  let client: number;
  const stored = new Map<string, Uint8Array>();
  /** Bodies that arrived, in order. */
  const arrived: string[] = [];
  before(async () => {
    python = await new PythonPeer("coap_peer.py").started();
    client = numberOf((await python.ask({ do: "open-client" })).ok, "client");
    const isProved = new Set(["proved"]);
    endpoint = openCoapEndpoint({
      socket: await openUdpSocket({ address: loopback, port: 0 }),
      clock: systemClock,
      random: systemRandom,
      parameters: quickParameters,
      challenge: (request) => isProved.has(request.path[0] ?? ""),
    });
    endpoint.handle((request) => {
      const path = request.path.join("/");
      if (request.method === Method.get) {
        const payload = stored.get(path);
        return payload === undefined ? { code: ResponseCode.notFound } : { code: ResponseCode.content, payload };
      }
      arrived.push(hexOf(request.payload));
      stored.set(path, request.payload);
      // A large answer to a large request (RFC 7959 §3.3).
      return request.method === Method.post ? { code: ResponseCode.changed, payload: request.payload } : { code: ResponseCode.changed };
    });
  });
  after(async () => {
    await python?.stop();
    await endpoint?.close();
  });
  const ask = async (method: string, path: string, more: PythonObject = {}): Promise<PythonObject> =>
    (await python.ask({ do: "request", client, method, uri: `coap://${loopback}:${endpoint.local.port}${path}`, ...more })).ok;

  for (const blockSize of blockSizes) {
    test(`RFC 7959 §2.4, §2.5: 3,333 bytes to us and back in blocks of ${blockSize}`, async () => {
      const payload = hexOf(bodyOf(blockSize));
      assert.equal((await ask("put", `/size-${blockSize}`, { payload, blockSize }))["code"], "2.04");
      assert.equal(arrived.at(-1), payload);
      assert.equal((await ask("get", `/size-${blockSize}`, { blockSize }))["payload"], payload);
    });
  }

  test("RFC 7959 §3.3: POST, 20,000 bytes there and as many back", async () => {
    const payload = hexOf(bodyOf(7, 20_000));
    const answer = await ask("post", "/echoed", { payload, blockSize: 512 });
    assert.deepEqual([answer["code"], answer["payload"]], ["2.04", payload]);
  });

  test("RFC 9175 §3.3: two bodies at once to one resource, kept apart by their Request-Tags", async () => {
    const bodies = [1, 2].map((seed) => hexOf(bodyOf(seed, 1_500)));
    const put = (payload: string, tag: number) =>
      ask("put", "/tagged", { payload, blockSize: 64, options: [[optionRequestTag, `0${tag}`]] });
    const answers = await Promise.all(bodies.map(put));
    assert.deepEqual(
      answers.map((answer) => answer["code"]),
      ["2.04", "2.04"],
    );
    assert.deepEqual(arrived.slice(-2).sort(), [...bodies].sort());
  });

  test("RFC 9175 §2.4: 4.01 with Echo to a peer that has proved nothing; with the value repeated it is served, and from then on", async () => {
    stored.set("proved", Uint8Array.of(1));
    const first = await ask("get", "/proved");
    assert.equal(first["code"], "4.01");
    const echo = optionsOf(first).find(([number]) => number === optionEcho)?.[1];
    assert.ok(echo !== undefined && echo.length > 0);
    assert.equal((await ask("get", "/proved", { options: [[optionEcho, echo]] }))["code"], "2.05");
    assert.equal((await ask("get", "/proved"))["code"], "2.05");
  });

  test("RFC 7252 §4.3: ping", async () => {
    await python.ask({ do: "ping", client, uri: `coap://${loopback}:${endpoint.local.port}` });
  });

  test("nothing is left open after all that", async () => {
    await eventually("an endpoint at rest", patienceMs, () => (endpoint.occupancy().busyPeers === keptFor(endpoint) ? true : undefined));
    const { servedRequests, servedObservations, assemblies, tokens, ownRequests } = endpoint.occupancy();
    assert.deepEqual([servedRequests, servedObservations, assemblies, tokens, ownRequests], [0, 0, 0, 0, 0]);
  });
});

/** One client asked: while an answer is kept for its later blocks, that peer counts as busy. */
function keptFor(endpoint: MeasuredEndpoint): number {
  return endpoint.occupancy().keptResponses > 0 ? 1 : 0;
}

function optionsOf(answer: PythonObject): [number, string][] {
  const options = answer["options"];
  assert.ok(Array.isArray(options));
  return options.map((each: unknown) => {
    assert.ok(Array.isArray(each));
    return [Number(each[0]), String(each[1])];
  });
}

interopSuite("our endpoint as client, aiocoap's server", ["python"], () => {
  let python: PythonPeer;
  let endpoint: MeasuredEndpoint;
  let server: number;
  let peer: Peer;
  before(async () => {
    python = await new PythonPeer("coap_peer.py").started();
    const { ok } = await python.ask({ do: "open-server" });
    server = numberOf(ok, "server");
    endpoint = await openQuickEndpoint();
    peer = endpoint.peerAt({ address: loopback, port: numberOf(ok, "port") });
  });
  after(async () => {
    await endpoint?.close();
    await python?.stop();
  });
  const ask = async (request: OutgoingRequest): Promise<IncomingResponse> => {
    const outcome = await endpoint.request(peer, request, { timeoutMs: patienceMs });
    assert.ok(outcome.ok, JSON.stringify(outcome));
    return outcome.response;
  };

  for (const blockSizeBytes of blockSizes) {
    test(`RFC 7959 §2.4, §2.5: 3,333 bytes there and back in blocks of ${blockSizeBytes}`, async () => {
      endpoint.setParameters(peer, { ...quickParameters, blockSizeBytes });
      const payload = bodyOf(blockSizeBytes);
      const { code } = await ask({ method: Method.put, path: ["large-update"], payload });
      assert.ok(code === ResponseCode.created || code === ResponseCode.changed);
      const back = await ask({ method: Method.get, path: ["large-update"] });
      assert.equal(hexOf(back.payload), hexOf(payload));
      assert.equal(back.etag?.length, 4);
    });
  }

  test("RFC 7252 §5.10.6: ETag gives 2.03, If-Match 2.04 or 4.12", async () => {
    const get = (etag?: Uint8Array) =>
      ask({ method: Method.get, path: ["validate"], options: etag === undefined ? [] : [{ number: OptionNumber.etag, value: etag }] });
    const { etag } = await get();
    assert.ok(etag);
    assert.equal((await get(etag)).code, ResponseCode.valid);
    const put = (payload: string) =>
      ask({
        method: Method.put,
        path: ["validate"],
        options: [{ number: OptionNumber.ifMatch, value: etag }],
        payload: Buffer.from(payload),
      });
    assert.equal((await put("second")).code, ResponseCode.changed);
    assert.equal((await put("third")).code, ResponseCode.preconditionFailed);
  });

  test("RFC 9175 §2.3: an Echo challenge is answered by itself", async () => {
    assert.equal(Buffer.from((await ask({ method: Method.get, path: ["proved"] })).payload).toString(), "proved");
  });

  for (const blockSizeBytes of [64, 1_024]) {
    test(`RFC 7641, RFC 7959 §3.4: notifications of 5,000 bytes, our blocks ${blockSizeBytes}`, async () => {
      endpoint.setParameters(peer, { ...quickParameters, blockSizeBytes });
      const seen: string[] = [];
      const listener = { onNotification: ({ payload }: IncomingResponse) => void seen.push(hexOf(payload)), onEnd: () => undefined };
      const outcome = await endpoint.observe(peer, { method: Method.get, path: ["obs-large"] }, listener, { timeoutMs: patienceMs });
      assert.ok(outcome.ok && outcome.observing, JSON.stringify(outcome));
      const bodies = [1, 2, 3].map((seed) => hexOf(bodyOf(seed, 5_000)));
      for (const [i, body] of bodies.entries()) {
        await python.ask({ do: "change", server, path: "obs-large", body });
        await eventually("the notification", patienceMs, () => (seen.length > i ? true : undefined));
      }
      assert.deepEqual(seen, bodies);
      assert.equal((await outcome.observation.cancel("active")).ok, true);
      const { ok } = await python.ask({ do: "observers", server, path: "obs-large" });
      assert.equal(objectOf(ok)["count"], 0);
    });
  }

  test("RFC 7252 §5.2.2: separate responses, confirmable and not, one after the other", async () => {
    for (const confirmable of [true, false]) {
      const { payload } = await ask({ method: Method.get, path: ["separate"], confirmable });
      assert.equal(Buffer.from(payload).toString(), "separate");
    }
  });
});
