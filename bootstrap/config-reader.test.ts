import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { findRange } from "@lwm2m/object-registry/range";
import { type ConfigField, secretKeys, securityFields, serverFields } from "./config-fields.ts";
import { readConfigFile } from "./config-file.ts";
import { readBootstrapConfig, withoutSecrets } from "./config-reader.ts";
import { aConfig, aSecurity, aServer } from "./testing/config-fixtures.ts";

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

test("a configuration: what is left out has the usual value", () => {
  assert.deepEqual(readBootstrapConfig({ security: [aSecurity()], servers: [{ shortServerId: 101 }] }), {
    ok: true,
    config: {
      deletes: ["/0", "/1"],
      security: [{ bootstrapServer: false, serverUri: "coap://192.0.2.1:5683", mode: "noSec", shortServerId: 101 }],
      servers: [{ lifetimeSeconds: 86_400, binding: "U", notificationStoring: true, shortServerId: 101 }],
    },
  });
});

test("a configuration: every field, keys as base64, a PSK identity as text", () => {
  const key = new Uint8Array(16).fill(7);
  const security = {
    instanceId: 3,
    serverUri: "coaps://[2001:db8::1]:5684",
    mode: "psk",
    identity: "gerät-1",
    secretKey: base64(key),
    shortServerId: 101,
    holdOffSeconds: 5,
    matchingType: 0,
    serverName: "lwm2m.example",
    certificateUsage: 3,
  };
  const account = { ...security, instanceId: 4, bootstrapServer: true, bootstrapTimeoutSeconds: 0, shortServerId: undefined };
  const server = {
    ...aServer({ instanceId: 9, binding: "UQ", notificationStoring: false }),
    defaultMinPeriodSeconds: 1,
    defaultMaxPeriodSeconds: 60,
    disableTimeoutSeconds: 86_400,
    muteSend: true,
  };
  const outcome = readBootstrapConfig(
    JSON.parse(JSON.stringify({ deletes: ["/", "/1/0"], security: [security, account], servers: [server] })),
  );
  const { shortServerId, ...bootstrapAccount } = account;
  const bytes = { identity: new TextEncoder().encode("gerät-1"), secretKey: key };
  assert.equal(shortServerId, undefined);
  assert.deepEqual(outcome, {
    ok: true,
    config: {
      deletes: ["/", "/1/0"],
      security: [
        { ...security, bootstrapServer: false, ...bytes },
        { ...bootstrapAccount, ...bytes },
      ],
      servers: [server],
    },
  });
});

const key = base64(new Uint8Array(16));
const psk = aSecurity({ serverUri: "coaps://a", mode: "psk", identity: "x", secretKey: key });

const faults: readonly [json: unknown, pointer: string, message: RegExp][] = [
  [null, "", /expected an object/],
  [[], "", /expected an object/],
  [{}, "/security", /a list of 1 to 16/],
  [aConfig({ security: [] }), "/security", /a list of 1 to 16/],
  [aConfig({ servers: "x" }), "/servers", /a list of 1 to 16/],
  [aConfig({ security: new Array(17).fill(aSecurity()) }), "/security", /a list of 1 to 16/],
  [aConfig({ security: [7] }), "/security/0", /expected an object/],
  [aConfig({ "a/b": 1 }), "/a~1b", /unknown; known are deletes, security, servers/],
  [aConfig({ deletes: "/" }), "/deletes", /at most 64 paths/],
  [aConfig({ deletes: ["/0", "/3/0/9"] }), "/deletes/1", /an object or an instance/],
  [aConfig({ deletes: ["/65535"] }), "/deletes/0", /an object or an instance/],
  [aConfig({ deletes: [0] }), "/deletes/0", /an object or an instance/],
  [aConfig({ security: [aSecurity({ serverUri: undefined })] }), "/security/0", /serverUri is missing/],
  [aConfig({ security: [aSecurity({ serverUri: "nowhere" })] }), "/security/0/serverUri", /coap:\/\/host:port/],
  [aConfig({ security: [aSecurity({ serverUri: "coap://" })] }), "/security/0/serverUri", /coap:\/\/host:port/],
  [aConfig({ security: [aSecurity({ serverUri: "http://a" })] }), "/security/0/serverUri", /coap:\/\/host:port/],
  [aConfig({ security: [aSecurity({ serverUri: `coap://${"a".repeat(250)}` })] }), "/security/0/serverUri", /text of 1 to 255 bytes/],
  [aConfig({ security: [aSecurity({ serverUri: "coaps://a" })] }), "/security/0/serverUri", /coaps:\/\/ does not go with mode noSec/],
  [aConfig({ security: [{ ...psk, serverUri: "coap://a" }] }), "/security/0/serverUri", /coap:\/\/ does not go with mode psk/],
  [aConfig({ security: [{ ...psk, identity: undefined }] }), "/security/0", /mode psk needs identity/],
  [aConfig({ security: [{ ...psk, identity: "x".repeat(129) }] }), "/security/0/identity", /text of 1 to 128 bytes/],
  [aConfig({ security: [{ ...psk, secretKey: undefined }] }), "/security/0", /mode psk needs secretKey/],
  [aConfig({ security: [{ ...psk, secretKey: "not base64!" }] }), "/security/0/secretKey", /base64 of 1 to/],
  [aConfig({ security: [{ ...psk, secretKey: key.slice(0, -1) }] }), "/security/0/secretKey", /base64 of 1 to/],
  [aConfig({ security: [{ ...psk, mode: "x509" }] }), "/security/0", /mode x509 needs serverPublicKey/],
  [aConfig({ security: [aSecurity({ mode: "none" })] }), "/security/0/mode", /one of psk, rpk, x509, noSec, est/],
  [aConfig({ security: [aSecurity({ mode: "toString" })] }), "/security/0/mode", /one of psk/],
  [aConfig({ security: [aSecurity({ instanceId: 65_535 })] }), "/security/0/instanceId", /an integer, 0 to 65534/],
  [aConfig({ security: [aSecurity({ bootstrapServer: "no" })] }), "/security/0/bootstrapServer", /true or false/],
  [aConfig({ security: [aSecurity({ shortServerId: undefined })] }), "/security/0", /shortServerId is missing/],
  [aConfig({ security: [aSecurity(), aSecurity()] }), "/security/1", /security account of server 101 is given twice/],
  [aConfig({ security: [aSecurity(), aSecurity({ shortServerId: 102 })] }), "/security/1/shortServerId", /no server has shortServerId 102/],
  [aConfig({ servers: [aServer({ shortServerId: 0 })] }), "/servers/0/shortServerId", /an integer, 1 to 65534/],
  [aConfig({ servers: [aServer({ lifetimeSeconds: 0.5 })] }), "/servers/0/lifetimeSeconds", /an integer, 1 to/],
  [aConfig({ servers: [aServer({ lifetime: 60 })] }), "/servers/0/lifetime", /unknown/],
  [aConfig({ servers: [aServer(), aServer()] }), "/servers/1", /server 101 is given twice/],
  [aConfig({ servers: [aServer(), aServer({ shortServerId: 7 })] }), "/servers/1/shortServerId", /no security account has shortServerId 7/],
];

test("a configuration: every fault has its JSON pointer (RFC 6901), and never the value of a key", () => {
  for (const [json, pointer, message] of faults) {
    const outcome = readBootstrapConfig(json, "/dev~11");
    if (outcome.ok) throw new Error(`accepted: ${JSON.stringify(json)}`);
    const fault = outcome.faults[0];
    assert.equal(fault?.pointer, `/dev~11${pointer}`, JSON.stringify(json));
    assert.match(fault?.message ?? "", message);
    assert.doesNotMatch(JSON.stringify(outcome), /not base64!/);
  }
});

test("a configuration: two bootstrap accounts are one too many", () => {
  const account = aSecurity({ bootstrapServer: true, shortServerId: undefined });
  const outcome = readBootstrapConfig(aConfig({ security: [aSecurity(), account, account] }));
  assert.deepEqual(outcome, { ok: false, faults: [{ pointer: "/security/2", message: "a bootstrap server account is given twice" }] });
});

test("a configuration: any JSON in any place is read or refused, never thrown at", () => {
  const odd: readonly unknown[] = [
    null,
    true,
    -1,
    1e308,
    "",
    "\0",
    "coap://%",
    [],
    [[]],
    {},
    { toString: 1 },
    JSON.parse('{"__proto__":{"mode":"noSec"}}'),
  ];
  const whole = aConfig({ deletes: ["/1"], security: [{ ...psk, instanceId: 1 }], servers: [aServer({ instanceId: 1, binding: "U" })] });
  const replaced = (json: unknown, value: unknown): readonly unknown[] => {
    if (typeof json !== "object" || json === null) return [value];
    const keys = Object.keys(json);
    return [
      value,
      ...keys.flatMap((key) =>
        replaced(Reflect.get(json, key), value).map((inner) =>
          Object.assign(Array.isArray(json) ? [...json] : { ...json }, { [key]: inner }),
        ),
      ),
    ];
  };
  const variants = odd.flatMap((value) => replaced(whole, value));
  assert.ok(variants.length > 150);
  for (const variant of variants) {
    const outcome = readBootstrapConfig(variant);
    assert.ok(
      outcome.ok || outcome.faults.every(({ pointer, message }) => pointer.length < 200 && message.length < 300),
      JSON.stringify(variant),
    );
  }
});

test("secrets are left out of what is shown", () => {
  const shown = JSON.stringify(withoutSecrets(aConfig({ security: [psk] }), secretKeys));
  assert.doesNotMatch(shown, /secretKey/);
  assert.match(shown, /"identity":"x"/);
});

test("LwM2M Core 1.1 appendix E.1, E.2: the fields agree with the registry in type, range and being mandatory", () => {
  const registry = openCatalogue();
  const types: Readonly<Record<ConfigField["kind"], string>> = {
    text: "string",
    integer: "integer",
    boolean: "boolean",
    base64: "opaque",
    identity: "opaque",
    mode: "integer",
  };
  for (const [objectId, fields] of [
    [0, securityFields],
    [1, serverFields],
  ] as const) {
    for (const { key, resourceId, kind, min, max } of fields) {
      const resource = registry.find(objectId)?.resources.get(resourceId);
      const registered = resource?.type === "unsigned" ? "integer" : resource?.type;
      assert.equal(registered, types[kind], `${key} is /${objectId}/*/${resourceId}`);
      const range = findRange(resource?.range ?? "", resource?.type);
      if (range === undefined || kind === "mode") continue;
      assert.ok(
        range.every((interval) => Number(interval.max) >= (max ?? 0) && Number(interval.min) <= (min ?? 0)),
        `${key}: ${resource?.range}`,
      );
    }
  }
});

test("a configuration file: one configuration per endpoint name; a fault is found by its pointer, broken JSON by its position", async () => {
  const good = readConfigFile(JSON.stringify({ dev1: aConfig(), "urn:dev:2": aConfig() }));
  if (!good.ok) throw new Error(JSON.stringify(good.faults));
  assert.equal(good.count, 2);
  assert.equal((await good.configs.find("dev1"))?.servers.length, 1);
  assert.equal(await good.configs.find("dev3"), undefined);
  assert.equal(await good.configs.find("constructor"), undefined);
  const bad = readConfigFile(JSON.stringify({ dev1: aConfig(), "a/b": aConfig({ servers: [aServer({ lifetimeSeconds: "x" })] }) }));
  assert.deepEqual(bad.ok ? [] : bad.faults.map(({ pointer }) => pointer), ["/a~1b/servers/0/lifetimeSeconds"]);
  for (const text of ["", "{", '{"secretKey": "abc" x}', "[]", "3", "null"]) {
    const outcome = readConfigFile(text);
    assert.equal(outcome.ok, false, text);
    assert.doesNotMatch(JSON.stringify(outcome), /abc/);
  }
});
