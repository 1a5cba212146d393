import assert from "node:assert/strict";
import { test } from "node:test";
import type { BootstrapConfig } from "./bootstrap-config.ts";
import { type FoundSecurity, type PlanStep, toPlan, withSecurityNumbers, writeValues } from "./bootstrap-plan.ts";
import { readBootstrapConfig } from "./config-reader.ts";
import { aConfig, aSecurity, aServer } from "./testing/config-fixtures.ts";

function config(json: unknown): BootstrapConfig {
  const outcome = readBootstrapConfig(json);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  return outcome.config;
}

const shape = (steps: readonly PlanStep[]): readonly string[] =>
  steps.map((step) => {
    if (step.kind === "delete") return `delete ${step.path === undefined ? "/" : JSON.stringify(Object.values(step.path))}`;
    if (step.kind === "write") return `write ${step.target.objectId} ${step.target.instanceId}`;
    return step.kind;
  });

test("LwM2M Core 1.1 §6.1.7: a numbered configuration is deleted, written and finished, in that order", () => {
  const numbered = aConfig({
    deletes: ["/", "/1", "/1/3"],
    security: [aSecurity({ instanceId: 5 })],
    servers: [aServer({ instanceId: 2 })],
  });
  assert.deepEqual(shape(toPlan(config(numbered))), ["delete /", "delete [1]", "delete [1,3]", "write 0 5", "write 1 2", "finish"]);
});

test("LwM2M Core 1.1 §6.1.7.3: without numbers the device is asked which Security instances it has", () => {
  assert.deepEqual(shape(toPlan(config(aConfig()))), ["delete [0]", "delete [1]", "discover", "write 0 free", "write 1 0", "finish"]);
});

test("LwM2M Core 1.1 appendix E.1: the resources of an account, mandatory ones its mode does not use empty", () => {
  const psk = aSecurity({ instanceId: 0, serverUri: "coaps://a:5684", mode: "psk", identity: "dev1", secretKey: "AAEC" });
  const [security, server] = toPlan(config(aConfig({ deletes: [], security: [psk], servers: [aServer({ binding: "UQ" })] })));
  if (security?.kind !== "write" || server?.kind !== "write") throw new Error("expected two writes");
  assert.deepEqual(
    [...security.resources],
    [
      [0, { type: "string", value: "coaps://a:5684" }],
      [1, { type: "boolean", value: false }],
      [2, { type: "integer", value: 0n }],
      [3, { type: "opaque", value: new TextEncoder().encode("dev1") }],
      [4, { type: "opaque", value: new Uint8Array() }],
      [5, { type: "opaque", value: new Uint8Array([0, 1, 2]) }],
      [10, { type: "integer", value: 101n }],
    ],
  );
  assert.deepEqual(writeValues(server), {
    path: { objectId: 1, instanceId: 0 },
    values: [
      { path: { objectId: 1, instanceId: 0, resourceId: 0 }, value: { type: "integer", value: 101n } },
      { path: { objectId: 1, instanceId: 0, resourceId: 1 }, value: { type: "integer", value: 300n } },
      { path: { objectId: 1, instanceId: 0, resourceId: 6 }, value: { type: "boolean", value: true } },
      { path: { objectId: 1, instanceId: 0, resourceId: 7 }, value: { type: "string", value: "UQ" } },
    ],
  });
});

test("a write never lands on the bootstrap account of the device, unless it is its replacement", () => {
  const account = aSecurity({ bootstrapServer: true, shortServerId: undefined });
  const steps = toPlan(
    config(
      aConfig({
        deletes: [],
        security: [aSecurity(), aSecurity({ shortServerId: 102, instanceId: 2 }), aSecurity({ shortServerId: 103 }), account],
        servers: [aServer(), aServer({ shortServerId: 102, instanceId: 0 }), aServer({ shortServerId: 103 })],
      }),
    ),
  );
  const numbered = (found: readonly FoundSecurity[] | undefined) =>
    shape(withSecurityNumbers(steps, found)).filter((text) => /^write 0/.test(text));
  assert.deepEqual(numbered([{ instanceId: 0, bootstrapAccount: true }]), ["write 0 1", "write 0 2", "write 0 3", "write 0 0"]);
  assert.deepEqual(
    numbered([
      { instanceId: 1, bootstrapAccount: true },
      { instanceId: 0, bootstrapAccount: false },
    ]),
    ["write 0 3", "write 0 2", "write 0 4", "write 0 1"],
  );
  assert.deepEqual(numbered([]), ["write 0 0", "write 0 2", "write 0 1", "write 0 3"]);
  assert.deepEqual(numbered(undefined), ["write 0 10", "write 0 2", "write 0 11", "write 0 12"]);
  // Server numbers need no question: nothing of the device's own lives there.
  assert.deepEqual(
    shape(steps).filter((text) => /^write 1/.test(text)),
    ["write 1 1", "write 1 0", "write 1 2"],
  );
});
