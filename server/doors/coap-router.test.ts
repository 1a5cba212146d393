import assert from "node:assert/strict";
import { test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { coapRouter } from "./coap-router.ts";

function aRequest(path: readonly string[], fields: Partial<IncomingRequest> = {}): IncomingRequest {
  return {
    peer: { key: 1, address: { address: "10.0.0.2", port: 1 }, identity: { kind: "none" } },
    method: 1,
    confirmable: true,
    path,
    query: [],
    contentFormat: undefined,
    accept: undefined,
    observe: undefined,
    options: [],
    payload: new Uint8Array(),
    ...fields,
  };
}

test("RFC 7252 §5.7: the first segment decides; RFC 6690 §4: /.well-known/core lists the doors", async () => {
  const route = coapRouter([
    { prefix: "rd", attributes: { rt: "core.rd", ct: 40 }, handle: () => ({ code: ResponseCode.created }) },
    { prefix: "dp", attributes: { ct: "110 112" }, handle: () => ({ code: ResponseCode.changed }) },
    { prefix: "fw", handle: () => ({ code: ResponseCode.content }) },
  ]);
  const code = async (request: IncomingRequest): Promise<number> =>
    (await (route(request) as Promise<OutgoingResponse> | OutgoingResponse)).code;
  assert.equal(await code(aRequest(["rd", "x"])), ResponseCode.created);
  assert.equal(await code(aRequest(["fw", "token"])), ResponseCode.content);
  assert.equal(await code(aRequest([])), ResponseCode.notFound);
  assert.equal(await code(aRequest(["rdx"])), ResponseCode.notFound);
  assert.equal(await code(aRequest([".well-known", "core", "more"])), ResponseCode.notFound);
  assert.equal(await code(aRequest([".well-known", "core"], { method: 2 })), ResponseCode.methodNotAllowed);
  assert.equal(await code(aRequest([".well-known", "core"], { accept: 0 })), ResponseCode.notAcceptable);
  const core = await route(aRequest([".well-known", "core"], { accept: 40 }));
  assert.ok(core.payload instanceof Uint8Array);
  assert.equal(new TextDecoder().decode(core.payload), `</rd>;rt="core.rd";ct=40,</dp>;ct="110 112"`);
});

test("RFC 6690 §4.1: /.well-known/core is filtered by the query; nothing fitting is an empty list, 2.05", async () => {
  const handle = () => ({ code: ResponseCode.content });
  const route = coapRouter([
    { prefix: "rd", attributes: { rt: "core.rd", ct: 40 }, handle },
    { prefix: "dp", attributes: { ct: "110 112" }, handle },
  ]);
  const listed = async (...query: string[]): Promise<string> => {
    const { code, payload } = await route(aRequest([".well-known", "core"], { query }));
    assert.equal(code, ResponseCode.content);
    return payload instanceof Uint8Array ? new TextDecoder().decode(payload) : assert.fail();
  };
  assert.equal(await listed("rt=core.rd"), '</rd>;rt="core.rd";ct=40');
  assert.equal(await listed("rt=core*"), '</rd>;rt="core.rd";ct=40');
  assert.equal(await listed("ct=112"), '</dp>;ct="110 112"');
  assert.equal(await listed("href=/d*"), '</dp>;ct="110 112"');
  assert.equal(await listed("rt=core.bs"), "");
});

test("two features with one prefix are a mistake of the author", () => {
  const handle = () => ({ code: ResponseCode.content });
  const twice = [
    { prefix: "rd", handle },
    { prefix: "rd", handle },
  ];
  assert.throws(() => coapRouter(twice), /one prefix/);
});
