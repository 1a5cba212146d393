import assert from "node:assert/strict";
import { test } from "node:test";
import { Lwm2mFormatError } from "./format-error.ts";
import {
  encodeRegisterQuery,
  encodeUpdateQuery,
  parseRegisterQuery,
  parseUpdateQuery,
  type QueryTolerance,
  type RegisterQuery,
} from "./register-query.ts";

function aQuery(parts: Partial<RegisterQuery> = {}): RegisterQuery {
  return {
    endpointName: "urn:dev:1",
    lifetimeSeconds: 300,
    lwm2mVersion: "1.1",
    binding: "U",
    queueMode: false,
    profileIds: [],
    additional: {},
    tolerances: [],
    ...parts,
  };
}

test("LwM2M Core 1.1 §6.2.1: Register parameters, both ways, unknown ones kept", () => {
  const cases: readonly (readonly [string, Partial<RegisterQuery>])[] = [
    ["ep=urn:dev:1&lwm2m=1.1&lt=300&b=U", {}],
    ["ep=urn:dev:1&lwm2m=1.1&lt=0&b=UT&Q", { lifetimeSeconds: 0, binding: "UT", queueMode: true }],
    ["ep=urn:dev:1&lwm2m=1.0&lt=300&b=UQS", { lwm2mVersion: "1.0", binding: "US", queueMode: true }],
    ["ep=urn:dev:1&lwm2m=1.0&lt=300&b=SQ", { lwm2mVersion: "1.0", binding: "S", queueMode: true }],
    [
      "ep=urn:dev:1&lwm2m=1.2&lt=4294967295&b=UTSNMH&sms=33612345678",
      { lwm2mVersion: "1.2", lifetimeSeconds: 4_294_967_295, binding: "UTSNMH", smsNumber: "33612345678" },
    ],
    ["ep=urn:dev:1&lwm2m=1.2&lt=300&b=U&pid=6:27354b9a", { lwm2mVersion: "1.2", profileIds: ["6:27354b9a"] }],
    ['ep=urn:dev:1&lwm2m=1.2&lt=300&b=U&pid="6:27354b9a,oma:basic"', { lwm2mVersion: "1.2", profileIds: ["6:27354b9a", "oma:basic"] }],
    ["ep=urn:dev:1&lwm2m=1.1&lt=300&b=U&site=a=b&flag", { additional: { site: "a=b", flag: "" } }],
  ];
  for (const [text, parts] of cases) {
    assert.deepEqual(parseRegisterQuery(text.split("&"), { strict: true }), aQuery(parts), text);
    assert.equal(encodeRegisterQuery(aQuery(parts)).join("&"), text);
  }
});

test("LwM2M Core 1.1 §6.2.1: defaults, and an endpoint name left to the secure transport", () => {
  assert.deepEqual(parseRegisterQuery(["lwm2m=1.1", "lt=300"]), (({ endpointName: _, ...rest }) => rest)(aQuery()));
  assert.throws(() => parseRegisterQuery(["lwm2m=1.0", "lt=300"]), { code: "query", message: /^ep:/ });
});

const tolerated: readonly (readonly [QueryTolerance, string, Partial<RegisterQuery>])[] = [
  ["missing-version", "ep=urn:dev:1&lt=300", { lwm2mVersion: "1.0" }],
  ["missing-lifetime", "ep=urn:dev:1&lwm2m=1.1", { lifetimeSeconds: 86_400 }],
  ["version-with-revision", "ep=urn:dev:1&lt=300&lwm2m=1.0.2", { lwm2mVersion: "1.0" }],
  ["queue-flag-value", "ep=urn:dev:1&lt=300&lwm2m=1.1&b=U&Q=1", { queueMode: true }],
  ["queue-flag-value", "ep=urn:dev:1&lt=300&lwm2m=1.1&b=U&Q=false", { queueMode: false }],
  ["sms-plus", "ep=urn:dev:1&lt=300&lwm2m=1.1&sms=+4912345", { smsNumber: "4912345" }],
];

test("field deviations: deviations are read, recorded, and refused in strict mode", () => {
  for (const [tolerance, text, parts] of tolerated) {
    assert.deepEqual(parseRegisterQuery(text.split("&")), aQuery({ ...parts, tolerances: [tolerance] }), text);
    assert.throws(() => parseRegisterQuery(text.split("&"), { strict: true }), { code: "query" }, text);
  }
});

test("LwM2M Core 1.1 §6.2.1: malformed parameters are refused by name, other versions with 4.12", () => {
  const broken = [
    "ep=",
    "ep",
    "ep=a&ep=b",
    "lt=x",
    "lt=-1",
    "lt=1.5",
    "lt=4294967296",
    "lt=",
    "lwm2m=1",
    "lwm2m=one",
    "b=",
    "b=X",
    "b=UU",
    "b=UM",
    "sms=abc",
    "sms=1234567890123456",
    "pid=7:00",
    'pid="',
    "Q=maybe",
  ];
  for (const text of broken) {
    const named = new Map(["ep=e", "lwm2m=1.1", "lt=300"].map((item) => [item.split("=")[0], item]));
    const own = text.split("&");
    named.delete(own[0]?.split("=")[0]);
    const name = own[0]?.split("=")[0] ?? "";
    assert.throws(
      () => parseRegisterQuery([...named.values(), ...own]),
      (error) => error instanceof Lwm2mFormatError && error.code === "query" && error.message.startsWith(`${name}:`),
      text,
    );
  }
  for (const version of ["1.3", "2.0", "0.9"])
    assert.throws(() => parseRegisterQuery(["ep=e", "lt=300", `lwm2m=${version}`]), { code: "version" });
});

test("as Eclipse Leshan tests it: queue bindings belong to 1.0, TCP and the Q parameter to 1.1", () => {
  const register =
    (version: string, ...rest: string[]) =>
    () =>
      parseRegisterQuery(["ep=e", "lt=300", `lwm2m=${version}`, ...rest]);
  assert.throws(register("1.1", "b=UQ"), { code: "query" });
  assert.throws(register("1.0", "b=UT"), { code: "query" });
  assert.throws(register("1.0", "b=U", "Q"), { code: "query" });
  assert.throws(() => parseUpdateQuery(["b=UQ"], "1.1"), { code: "query" });
  assert.throws(() => parseUpdateQuery(["b=UT"], "1.0"), { code: "query" });
});

test("LwM2M Core 1.1 §6.2.2: an Update names only what changes, both ways", () => {
  assert.deepEqual(parseUpdateQuery([], "1.1"), { additional: {}, tolerances: [] });
  assert.deepEqual(parseUpdateQuery(["lt=60"], "1.1"), { lifetimeSeconds: 60, additional: {}, tolerances: [] });
  assert.deepEqual(parseUpdateQuery(["b=U", "Q", "sms=1", "x=y"], "1.1"), {
    binding: "U",
    queueMode: true,
    smsNumber: "1",
    additional: { x: "y" },
    tolerances: [],
  });
  assert.deepEqual(parseUpdateQuery(["b=U"], "1.1"), { binding: "U", queueMode: false, additional: {}, tolerances: [] });
  assert.deepEqual(parseUpdateQuery(["b=UQ"], "1.0"), { binding: "U", queueMode: true, additional: {}, tolerances: [] });
  assert.deepEqual(encodeUpdateQuery({ lifetimeSeconds: 60, binding: "U", queueMode: true, additional: {} }, "1.1"), ["lt=60", "b=U", "Q"]);
  assert.deepEqual(encodeUpdateQuery({ binding: "U", queueMode: true, additional: {} }, "1.0"), ["b=UQ"]);
  assert.deepEqual(encodeUpdateQuery({ additional: {} }, "1.1"), []);
});

test("endpoint names of real devices are taken, those that cannot be shown are refused", () => {
  const nameOf = (name: string): string | undefined => parseRegisterQuery([`ep=${name}`, "lt=1", "lwm2m=1.1"]).endpointName;
  for (const name of [
    "urn:imei:866425031234567",
    "urn:imei-msisdn:866425031234567-4915112345",
    "a b",
    "Gerät ☃ 7",
    "a/b?c=d",
    "...",
    "__proto__",
  ])
    assert.equal(nameOf(name), name);
  for (const name of ["a\0b", "a\nb", "a\u007fb", "a\u0085b", "a\u2028b", "a\u202eb", "M\ufffdller"])
    assert.throws(() => nameOf(name), { code: "query", message: /^ep: expected printable UTF-8, got "/ }, JSON.stringify(name));
  for (const name of [".", ".."]) assert.throws(() => nameOf(name), { code: "query", message: /^ep: expected a name/ });
});

test("RFC 7252 §6.4: a query sent in one option is taken apart and recorded, a name with an ampersand is not", () => {
  for (const only of ["ep=e&lt=60&lwm2m=1.1&b=U&Q", "?ep=e&lt=60&lwm2m=1.1&b=U&Q"]) {
    const { endpointName, lifetimeSeconds, queueMode, tolerances } = parseRegisterQuery([only]);
    assert.deepEqual([endpointName, lifetimeSeconds, queueMode, tolerances], ["e", 60, true, ["joined-query"]]);
    assert.throws(() => parseRegisterQuery([only], { strict: true }), { code: "query" });
  }
  assert.equal(parseUpdateQuery(["lt=60&b=U"], "1.1").lifetimeSeconds, 60);
  assert.equal(parseRegisterQuery(["ep=a&b", "lt=60", "lwm2m=1.1"]).endpointName, "a&b");
  assert.equal(parseRegisterQuery(["ep=a&c"]).endpointName, "a&c");
});

test("register-query: a hostile name is an entry like any other", () => {
  const { additional } = parseRegisterQuery(["ep=e", "lt=1", "lwm2m=1.1", "__proto__=x"]);
  assert.deepEqual(Object.entries(additional), [["__proto__", "x"]]);
  assert.equal(Object.getPrototypeOf(additional), Object.prototype);
});
