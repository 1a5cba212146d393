import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { findJsonFault } from "./json-fault.ts";
import { parsePrefer } from "./prefer.ts";
import { maxJsonDepth, parseJsonBody } from "./request-body.ts";
import type { Route } from "./route.ts";
import { routeTable } from "./route-table.ts";
import { traceIdOf } from "./trace-context.ts";

const templates: readonly (readonly [Route["method"], string])[] = [
  ["GET", "/devices"],
  ["GET", "/devices/{endpoint}"],
  ["DELETE", "/devices/{endpoint}"],
  ["GET", "/devices/{endpoint}/queue"],
  ["POST", "/devices/{endpoint}/operations"],
  ["POST", "/operations/{id}:cancel"],
  ["GET", "/operations/{id}"],
  ["GET", "/devices/{endpoint}/resources/{path...}"],
  ["PUT", "/devices/{endpoint}/resources/{path...}"],
  ["POST", "/devices/{endpoint}/resources/{path...}:execute"],
  ["PUT", "/devices/{endpoint}/resources/{path...}/observation"],
  ["GET", "/openapi.json"],
];
const table = routeTable(
  "/api",
  templates.map(([method, path]) => ({ route: aRoute(method, path) })),
);

function aRoute(method: Route["method"], path: string): Route {
  return { method, path, name: `${method} ${path}`, summary: "", replies: {}, handle: async () => ({ status: 200 }) };
}

const addresses: readonly (readonly [string, string, string, { readonly [name: string]: string }])[] = [
  ["GET", "/api/devices", "/devices", {}],
  ["GET", "/api/devices/dev1", "/devices/{endpoint}", { endpoint: "dev1" }],
  ["GET", "/api/devices/urn:dev:mac:001122", "/devices/{endpoint}", { endpoint: "urn:dev:mac:001122" }],
  ["GET", "/api/devices/urn%3Aimei%3A490154203237518", "/devices/{endpoint}", { endpoint: "urn:imei:490154203237518" }],
  ["GET", "/api/devices/a%2Fb", "/devices/{endpoint}", { endpoint: "a/b" }],
  ["GET", "/api/devices/100%2525", "/devices/{endpoint}", { endpoint: "100%25" }],
  ["GET", "/api/devices/K%C3%BChlschrank%201", "/devices/{endpoint}", { endpoint: "Kühlschrank 1" }],
  ["HEAD", "/api/devices/dev1", "/devices/{endpoint}", { endpoint: "dev1" }],
  ["GET", "/api/devices/urn:dev:x/queue", "/devices/{endpoint}/queue", { endpoint: "urn:dev:x" }],
  ["POST", "/api/operations/01HX:cancel", "/operations/{id}:cancel", { id: "01HX" }],
  ["GET", "/api/operations/01HX", "/operations/{id}", { id: "01HX" }],
  ["GET", "/api/operations/01HX%3Acancel", "/operations/{id}", { id: "01HX:cancel" }],
  ["GET", "/api/devices/d/resources/3/0/9", "/devices/{endpoint}/resources/{path...}", { endpoint: "d", path: "3/0/9" }],
  [
    "GET",
    "/api/devices/d/resources/device/0/batteryLevel",
    "/devices/{endpoint}/resources/{path...}",
    { endpoint: "d", path: "device/0/batteryLevel" },
  ],
  [
    "POST",
    "/api/devices/urn:x/resources/3/0/4:execute",
    "/devices/{endpoint}/resources/{path...}:execute",
    { endpoint: "urn:x", path: "3/0/4" },
  ],
  [
    "PUT",
    "/api/devices/d/resources/3/0/9/observation",
    "/devices/{endpoint}/resources/{path...}/observation",
    { endpoint: "d", path: "3/0/9" },
  ],
  ["PUT", "/api/devices/d/resources/3/0/9", "/devices/{endpoint}/resources/{path...}", { endpoint: "d", path: "3/0/9" }],
  ["GET", "/api/openapi.json", "/openapi.json", {}],
];
for (const [method, address, template, params] of addresses) {
  test(`route: ${method} ${address} is ${template}`, () => {
    const match = table.find(method, address);
    assert.equal(match.kind, "found");
    if (match.kind === "found") assert.deepEqual([match.entry.route.path, match.params], [template, params]);
  });
}

for (const address of [
  "/api",
  "/devices",
  "/api/devices/",
  "/api/devices/a/b",
  "/api/operations/:cancel:x/y",
  "/api/openapixjson",
  "/api/devices/d/resources/",
]) {
  test(`route: ${address} is unknown`, () => assert.equal(table.find("GET", address).kind, "unknown"));
}

test("RFC 9110 §15.5.6: a wrong method names those the address takes, the most specific address deciding", () => {
  assert.deepEqual(table.find("PUT", "/api/devices/d"), { kind: "wrong-method", allow: "DELETE, GET, HEAD, OPTIONS" });
  assert.deepEqual(table.find("GET", "/api/operations/1:cancel"), { kind: "wrong-method", allow: "OPTIONS, POST" });
  assert.deepEqual(table.find("GET", "/api/devices/d/resources/3/0/9/observation"), { kind: "wrong-method", allow: "OPTIONS, PUT" });
});

test("RFC 3986 §2.1: a percent escape that is none is refused, not passed on", () => {
  for (const address of ["/api/devices/%", "/api/devices/%zz", "/api/devices/%ff"])
    assert.equal(table.find("GET", address).kind, "malformed");
});

test("two routes for one method and shape of address are a mistake of the author", () => {
  const entries = ["/a/{x}", "/a/{y}"].map((path) => ({ route: aRoute("GET", path) }));
  assert.throws(() => routeTable("", entries), /two routes for GET/);
});

const preferences: readonly (readonly [string | undefined, number | undefined, string?])[] = [
  [undefined, undefined],
  ["", undefined],
  ["wait=10", 10_000, "wait=10"],
  ['Wait = "10"', 10_000, "wait=10"],
  ["wait=0", 0, "wait=0"],
  ["wait=99999", 60_000, "wait=60"],
  ["respond-async", 0, "respond-async"],
  ["respond-async, wait=5", 5_000, "respond-async, wait=5"],
  ["wait=5, wait=7", 5_000, "wait=5"],
  ["wait=5; foo=bar", 5_000, "wait=5"],
  ["return=minimal, wait=3", 3_000, "wait=3"],
  ["wait", undefined],
  ["wait=ten", undefined],
  ["wait=-1", undefined],
  ["wait=1.5", undefined],
];
for (const [header, waitMs, applied] of preferences) {
  test(`RFC 7240 §4: Prefer: ${header}`, () => {
    assert.deepEqual(parsePrefer(header, 60), waitMs === undefined ? undefined : { waitMs, applied });
  });
}

test("W3C Trace Context §3.2: a valid traceparent is kept, any other makes a new trace", () => {
  const random = seededRandom(1);
  const id = "4bf92f3577b34da6a3ce929d0e0e4736";
  assert.equal(traceIdOf(`00-${id}-00f067aa0ba902b7-01`, random), id);
  assert.equal(traceIdOf(`cc-${id}-00f067aa0ba902b7-01-later`, random), id);
  for (const bad of [
    undefined,
    "",
    id,
    `ff-${id}-00f067aa0ba902b7-01`,
    `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
    `00-${id}-${"0".repeat(16)}-01`,
    `00-${id.toUpperCase()}-00f067aa0ba902b7-01`,
  ]) {
    assert.match(traceIdOf(bad, random), /^(?!4bf92f)[0-9a-f]{32}$/, bad);
  }
});

const faults: readonly (readonly [string, number, string])[] = [
  ["", 0, "a value"],
  ["{", 1, "a member name in double quotes"],
  ['{"a":x}', 5, "a value"],
  ['{"a" 1}', 5, "a colon"],
  ['{"a":1,}', 7, "a member name in double quotes"],
  ['{"a":1', 6, "a comma or }"],
  ["[1,]", 3, "a value"],
  ["[1 2]", 3, "a comma or ]"],
  ["01", 0, "a value"],
  ["1.", 0, "a value"],
  ["nul", 0, "a value"],
  ["{} {}", 3, "the end of the text"],
  ['"a', 0, "a value"],
  ['"\\x"', 0, "a value"],
  ["'a'", 0, "a value"],
];
for (const [text, offset, expected] of faults) {
  test(`RFC 8259: ${JSON.stringify(text)} stops being JSON at ${offset}`, () => {
    assert.deepEqual(findJsonFault(text), { offset, expected });
    assert.throws(() => JSON.parse(text));
  });
}

test("RFC 8259: the fault finder agrees with JSON.parse on every mutation of a document (seed 7)", () => {
  const random = seededRandom(7);
  const document = '{"kind":"write","value":[1,-2.5e+3,true,null,{"ü\\u00e9\\n":"x"}],"e":{},"f":[]} ';
  const alphabet = '{}[]",:0-1.eE+\\ntrufalsé \n';
  for (let round = 0; round < 5_000; round += 1) {
    const at = Math.floor(random.fraction() * document.length);
    const put = alphabet.charAt(Math.floor(random.fraction() * alphabet.length));
    const text = document.slice(0, at) + put + document.slice(at + Math.floor(random.fraction() * 3));
    assert.equal(findJsonFault(text) === undefined, isJson(text), text);
  }
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test("a body that nests too deep, or is no UTF-8, is refused before it is parsed", () => {
  const nested = (levels: number) => Buffer.from("[".repeat(levels) + "]".repeat(levels));
  assert.equal(parseJsonBody(nested(maxJsonDepth)).ok, true);
  assert.equal(parseJsonBody(nested(maxJsonDepth + 1)).ok, false);
  assert.equal(parseJsonBody(nested(100_000)).ok, false);
  assert.equal(parseJsonBody(Buffer.from(JSON.stringify("[".repeat(100)))).ok, true);
  assert.equal(parseJsonBody(Buffer.from('"\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["')).ok, true);
  assert.equal(parseJsonBody(new Uint8Array([0x22, 0xff, 0x22])).ok, false);
});
