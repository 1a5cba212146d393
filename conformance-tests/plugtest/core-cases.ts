/** TD_COAP_CORE of the ETSI CoAP plugtest. */
import assert from "node:assert/strict";
import { codeText, reset, textValues, uintValue, type WireMessage } from "../conformance/wire-message.ts";
import { eventually, patienceMs } from "../interop/platform/deadline.ts";
import type { PlugtestCase, PlugtestCases } from "./case.ts";
import type { PlugtestRequest, Scene } from "./party.ts";
import { checkSeparate, type Exchange, exchangeKey, lastExchange, optionNumber, requestsOn, sameToken, typeText } from "./wire-checks.ts";

const codeOf = { get: "0.01", post: "0.02", put: "0.03", delete: "0.04" } as const;

/** Asks and gives the exchange on the wire, its request checked, what the client displays compared with its response. */
async function ask({ client, wire }: Scene, request: PlugtestRequest): Promise<Exchange & { readonly shown: string }> {
  const shown = await client.request(request);
  const exchange = lastExchange(wire);
  assert.deepEqual(
    [typeText(exchange.request), codeText(exchange.request.code)],
    [request.confirmable === false ? "NON" : "CON", codeOf[request.method]],
  );
  assert.equal(Buffer.from(exchange.request.payload).toString(), request.payload ?? "");
  assert.equal(shown.code, codeText(exchange.response.code));
  assert.equal(shown.payload, Buffer.from(exchange.response.payload).toString());
  return { ...exchange, shown: shown.payload };
}

function transaction(method: PlugtestRequest["method"], confirmable: boolean, codes: readonly string[]): PlugtestCase {
  return {
    title: `${method.toUpperCase()}, ${confirmable ? "CON" : "NON"}`,
    run: async (scene) => {
      const body = method === "put" || method === "post" ? { payload: "body" } : {};
      const { response, shown } = await ask(scene, { method, path: scene.server.resources["test"] ?? "", confirmable, ...body });
      assert.ok(codes.includes(codeText(response.code)), codeText(response.code));
      if (method !== "get") return;
      assert.equal(shown, "test");
      assert.equal(uintValue(response, optionNumber.contentFormat) ?? 0, 0);
    },
  };
}

function separate(title: string, confirmable: boolean): PlugtestCase {
  return {
    title,
    run: async (scene) => {
      const { request, response, shown } = await ask(scene, { method: "get", path: scene.server.resources["separate"] ?? "", confirmable });
      assert.ok(request.token.length >= 1 && request.token.length <= 8, `a token of ${request.token.length} bytes`);
      assert.equal(codeText(response.code), "2.05");
      assert.match(shown, /separate|done/);
      if (confirmable) {
        await acknowledged(scene, response);
        checkSeparate(scene.wire, { request, response });
        return;
      }
      assert.equal(typeText(response), "NON");
      assert.ok(!scene.wire.captured.some(({ message }) => message.code === 0), "an empty message to NON");
    },
  };
}

/** The client may display the response before its acknowledgement is written down. */
async function acknowledged({ wire }: Scene, { messageId }: WireMessage): Promise<void> {
  const isThere = () => wire.captured.some(({ fromClient, message }) => fromClient && message.messageId === messageId);
  await eventually("the acknowledgement", patienceMs, () => (isThere() ? true : undefined));
}

/** RFC 7252 §4.2: each kind of message lost once; it comes again, and the client displays the answer all the same. */
function lossy(
  title: string,
  path: "test" | "separate",
  kinds: readonly ((message: WireMessage, fromClient: boolean) => boolean)[],
): PlugtestCase {
  return {
    title,
    run: async (scene) => {
      for (const isVictim of kinds) {
        let lost: WireMessage | undefined;
        // Copies of messages of the exchange before may come now.
        const before = new Set(scene.wire.captured.map(({ message, fromClient }) => exchangeKey(message, fromClient)));
        scene.wire.faults = (message, fromClient) => {
          if (lost !== undefined || before.has(exchangeKey(message, fromClient)) || !isVictim(message, fromClient)) return "passed";
          lost = message;
          return "lost";
        };
        const { code } = await scene.client.request({ method: "get", path: scene.server.resources[path] ?? "" });
        assert.equal(code, "2.05");
        assert.ok(lost, "nothing was lost");
        const asked = new Set(requestsOn(scene.wire).map((copy) => exchangeKey(copy, true)));
        assert.equal([...asked].filter((key) => !before.has(key)).length, 1, "retransmitted, not asked anew");
      }
    },
  };
}

const lostRequest = ({ code }: WireMessage, fromClient: boolean): boolean => fromClient && code === 1;
const lostResponse = ({ code }: WireMessage, fromClient: boolean): boolean => !fromClient && code >= 64;
const lostEmptyAck = ({ code }: WireMessage, fromClient: boolean): boolean => !fromClient && code === 0;

export const coreCases: PlugtestCases = {
  TD_COAP_CORE_01: transaction("get", true, ["2.05"]),
  TD_COAP_CORE_02: transaction("delete", true, ["2.02"]),
  TD_COAP_CORE_03: transaction("put", true, ["2.04", "2.01"]),
  TD_COAP_CORE_04: transaction("post", true, ["2.01", "2.04"]),
  TD_COAP_CORE_05: transaction("get", false, ["2.05"]),
  TD_COAP_CORE_06: transaction("delete", false, ["2.02"]),
  TD_COAP_CORE_07: transaction("put", false, ["2.04", "2.01"]),
  TD_COAP_CORE_08: transaction("post", false, ["2.01", "2.04"]),
  TD_COAP_CORE_09: separate("a separate response, CON", true),
  TD_COAP_CORE_10: {
    title: "a token that is not empty",
    run: async (scene) => {
      const { request, response } = await ask(scene, { method: "get", path: scene.server.resources["test"] ?? "" });
      assert.ok(request.token.length >= 1 && request.token.length <= 8);
      assert.ok(sameToken(request, response));
    },
  },
  TD_COAP_CORE_11: separate("a token and a separate response", true),
  TD_COAP_CORE_12: {
    title: "an empty token",
    run: async (scene) => {
      const { request, response } = await ask(scene, { method: "get", path: scene.server.resources["test"] ?? "", emptyToken: true });
      assert.deepEqual([request.token.length, response.token.length, codeText(response.code)], [0, 0, "2.05"]);
    },
  },
  TD_COAP_CORE_13: {
    title: "several Uri-Path options",
    run: async (scene) => {
      const { request, shown } = await ask(scene, { method: "get", path: "/seg1/seg2/seg3" });
      assert.deepEqual(textValues(request, optionNumber.uriPath), ["seg1", "seg2", "seg3"]);
      assert.equal(shown, "/seg1/seg2/seg3");
    },
  },
  TD_COAP_CORE_14: {
    title: "several Uri-Query options",
    run: async (scene) => {
      const { request, response, shown } = await ask(scene, {
        method: "get",
        path: `${scene.server.resources["query"]}?first=1&second=2&third=3`,
      });
      assert.deepEqual(textValues(request, optionNumber.uriQuery), ["first=1", "second=2", "third=3"]);
      assert.equal(codeText(response.code), "2.05");
      assert.notEqual(shown, "");
    },
  },
  TD_COAP_CORE_15: lossy("lossy, piggybacked", "test", [lostRequest, lostResponse]),
  TD_COAP_CORE_16: lossy("lossy, separate", "separate", [lostRequest, lostEmptyAck, lostResponse]),
  TD_COAP_CORE_17: separate("a separate response, NON", false),
  TD_COAP_CORE_18: {
    title: "POST, several Location-Path options in the answer",
    run: async (scene) => {
      const { response } = await ask(scene, { method: "post", path: "/test", payload: "body" });
      assert.equal(codeText(response.code), "2.01");
      assert.deepEqual(textValues(response, optionNumber.locationPath), ["location1", "location2", "location3"]);
    },
  },
  TD_COAP_CORE_19: {
    title: "POST, several Location-Query options in the answer",
    run: async (scene) => {
      const { response } = await ask(scene, { method: "post", path: "/location-query", payload: "body" });
      assert.equal(codeText(response.code), "2.01");
      assert.deepEqual(textValues(response, optionNumber.locationQuery), ["first=1", "second=2"]);
    },
  },
  TD_COAP_CORE_20: {
    title: "Accept",
    run: async (scene) => {
      for (const [accept, payload] of [
        [0, "v"],
        [41, "<v/>"],
      ] as const) {
        const { request, response, shown } = await ask(scene, { method: "get", path: "/multi-format", accept });
        assert.deepEqual(
          [uintValue(request, optionNumber.accept), uintValue(response, optionNumber.contentFormat), shown],
          [accept, accept, payload],
        );
      }
    },
  },
  TD_COAP_CORE_21: {
    title: "GET with ETag",
    run: async (scene) => {
      const get = (etag?: Uint8Array) => ask(scene, { method: "get", path: "/validate", ...(etag === undefined ? {} : { etag }) });
      const first = await get();
      const etag = etagOf(first.response);
      const valid = await get(etag);
      assert.deepEqual([codeText(valid.response.code), valid.shown, etagOf(valid.response)], ["2.03", "", etag]);
      await ask(scene, { method: "put", path: "/validate", payload: "second" });
      const changed = await get(etag);
      assert.deepEqual([codeText(changed.response.code), changed.shown], ["2.05", "second"]);
      assert.notDeepEqual(etagOf(changed.response), etag);
    },
  },
  TD_COAP_CORE_22: {
    title: "PUT with If-Match",
    run: async (scene) => {
      const put = async (payload: string, ifMatch?: Uint8Array) =>
        codeText(
          (await ask(scene, { method: "put", path: "/validate", payload, ...(ifMatch === undefined ? {} : { ifMatch }) })).response.code,
        );
      const tag = async () => etagOf((await ask(scene, { method: "get", path: "/validate" })).response);
      assert.equal(await put("second", await tag()), "2.04");
      const stale = await tag();
      assert.equal(await put("third"), "2.04");
      assert.equal(await put("fourth", stale), "4.12");
      assert.equal((await ask(scene, { method: "get", path: "/validate" })).shown, "third");
    },
  },
  TD_COAP_CORE_23: {
    title: "PUT with If-None-Match",
    run: async (scene) => {
      const put = async (payload: string) =>
        codeText((await ask(scene, { method: "put", path: "/create1", payload, ifNoneMatch: true })).response.code);
      assert.equal(await put("one"), "2.01");
      assert.equal(await put("two"), "4.12");
    },
  },
  TD_COAP_CORE_31: {
    title: "CoAP ping",
    run: async ({ client, wire }) => {
      assert.ok(client.ping, "the table names a client that sends no pings");
      await client.ping();
      const ping = wire.captured.find(({ fromClient, message: { type, code } }) => fromClient && type === 0 && code === 0);
      assert.ok(ping, "no ping was sent");
      assert.equal(ping.bytes.length, 4);
      const answer = wire.captured.find(({ fromClient, message }) => !fromClient && message.messageId === ping.message.messageId);
      assert.deepEqual([answer?.bytes.length, answer?.message.type, answer?.message.code], [4, reset, 0]);
    },
  },
};

function etagOf({ options }: WireMessage): Uint8Array {
  const etag = options.find(({ number }) => number === optionNumber.etag)?.value;
  assert.ok(etag, "no ETag");
  return Uint8Array.from(etag);
}
