import assert from "node:assert/strict";
import { test } from "node:test";
import { formatCode, Method } from "@lwm2m/protocol/coap/codes";
import type { IncomingRequest } from "@lwm2m/protocol/coap/message";
import { readBootstrapRequest } from "./bootstrap-coap.ts";

function aRequest(path: readonly string[], query: readonly string[], method: Method = Method.post): IncomingRequest {
  return {
    peer: { key: "a", address: { address: "192.0.2.9", port: 5683 }, identity: { kind: "none" } },
    method,
    confirmable: true,
    path,
    query,
    contentFormat: undefined,
    accept: undefined,
    observe: undefined,
    options: [],
    payload: new Uint8Array(),
  };
}

const cases: readonly [path: readonly string[], query: readonly string[], expected: string][] = [
  [["bs"], ["ep=dev1"], "dev1 11542"],
  [["bs"], ["ep=urn:imei:35=7", "pct=112"], "urn:imei:35=7 112"],
  [["bs"], ["pct=110", "ep=dev1", "vendor=x", "flag"], "dev1 110"],
  [["bs"], ["ep=dev1", "pct=11542"], "dev1 11542"],
  [["bs"], [], "4.00"],
  [["bs"], ["ep="], "4.00"],
  [["bs"], ["ep"], "4.00"],
  [["bs"], ["epx=dev1"], "4.00"],
  [["bs"], ["ep=dev1", "ep=dev2"], "4.00"],
  [["bs"], [`ep=${"x".repeat(253)}`], "4.00"],
  [["bs"], ["ep=dev1", "pct="], "4.00"],
  [["bs"], ["ep=dev1", "pct=tlv"], "4.00"],
  [["bs"], ["ep=dev1", "pct=112", "pct=110"], "4.00"],
  [["bs"], ["ep=dev1", "pct=0"], "4.15"],
  [["bs"], ["ep=dev1", "pct=11544"], "4.15"],
  [["bs"], ["ep=dev1", "pct=99999"], "4.15"],
  [["bs", ""], ["ep=dev1"], "4.04"],
  [["rd"], ["ep=dev1"], "4.04"],
  [[], [], "4.04"],
  [["bspack"], ["ep=dev1"], "5.01"],
];

test("LwM2M Core 1.1 §6.1.7.1: what a Bootstrap-Request asks for, and the code for what it may not", () => {
  for (const [path, query, expected] of cases) {
    const outcome = readBootstrapRequest(aRequest(path, query));
    assert.equal(outcome.ok ? `${outcome.endpointName} ${outcome.contentFormat}` : formatCode(outcome.code), expected, `${path} ${query}`);
  }
  const got = readBootstrapRequest(aRequest(["bs"], ["ep=dev1"], Method.get));
  assert.equal(got.ok ? "" : formatCode(got.code), "4.05");
});
