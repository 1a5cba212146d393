import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { deviceModel } from "../registration/device-model.ts";
import type { OperationRequest } from "./operation.ts";
import { withoutUnreadable } from "./unreadable-values.ts";

const model = deviceModel(openCatalogue(), undefined);
const secret = "c2VjcmV0";

/** What is left to be shown of `value` or `values`; firmware (5) has its package (0) for writing only, its address (1) for both. */
const table: readonly (readonly [OperationRequest, Partial<OperationRequest>, boolean])[] = [
  [{ kind: "write", path: "/5/0/0", value: secret }, {}, true],
  [{ kind: "write", path: "/5/0/1", value: "coap://host" }, { value: "coap://host" }, false],
  [{ kind: "write", path: "/5/0", mode: "update", value: { 0: secret, 1: "a" } }, { value: { 1: "a" } }, true],
  [{ kind: "write", path: "/5/0", mode: "update", value: { package: secret, packageUri: "a" } }, { value: { packageUri: "a" } }, true],
  [{ kind: "create", path: "/5", value: { 0: secret } }, { value: {} }, true],
  [{ kind: "create", path: "/5", instanceId: 0, value: { 1: "a" } }, { value: { 1: "a" } }, false],
  [{ kind: "writeComposite", path: "/", values: { "/5/0/0": secret, "/3/0/15": "CET" } }, { values: { "/3/0/15": "CET" } }, true],
  [{ kind: "write", path: "/3/0/15", value: "CET" }, { value: "CET" }, false],
  [{ kind: "write", path: "/44444/0/1", value: "unknown" }, { value: "unknown" }, false],
  [{ kind: "read", path: "/5/0/0" }, {}, false],
];

for (const [request, left, hides] of table) {
  test(`LwM2M Core 1.1 appendix D.1: ${request.kind} ${request.path} ${Object.keys(request.values ?? Object(request.value))} shows ${JSON.stringify(left)}`, () => {
    const shown = withoutUnreadable(request, model);
    const { value, values } = shown.operation;
    assert.deepEqual({ ...(value === undefined ? {} : { value }), ...(values === undefined ? {} : { values }) }, left);
    assert.equal(shown.hides, hides);
  });
}
