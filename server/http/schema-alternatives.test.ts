import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../storage/collection.ts";
import { routeChecker } from "./request-schema.ts";
import type { JsonSchema } from "./route.ts";

const byMember: JsonSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    endpoint: { type: "string" },
    group: { type: "string" },
    id: { type: "string", pattern: "^[0-9]+$", description: "of a thing" },
  },
  allOf: [{ oneOf: [{ required: ["endpoint"] }, { required: ["group"] }] }],
};
const byType: JsonSchema = {
  type: "object",
  properties: {
    list: {
      oneOf: [
        { type: "string" },
        { type: "array", items: { type: "object", required: ["digit"], properties: { digit: { type: "integer", maximum: 9 } } } },
      ],
    },
  },
};

const check = routeChecker();
const details = (schema: JsonSchema, body: Json): unknown => {
  const route = {
    method: "POST",
    path: "/x",
    name: "x",
    summary: "x",
    body: schema,
    replies: {},
    handle: async () => ({ status: 204 }),
  } as const;
  return check(route)
    .checkBody(body)
    ?.errors?.map(({ pointer, detail }) => `${pointer}: ${detail}`);
};

for (const [schema, body, expected] of [
  [byMember, {}, [": expected one of endpoint, group"]],
  [byMember, { endpoint: "a", group: "b" }, [": expected only one of endpoint, group"]],
  [byMember, { endpoint: "a", id: "x" }, ['/id: got a string, must match pattern "^[0-9]+$" (of a thing)']],
  [byMember, { endpoint: "a", grup: "b" }, ["/grup: is not known here; there are endpoint, group, id"]],
  [byType, { list: 5 }, ["/list: expected one of the types string, array"]],
  [byType, { list: [{ digit: 12 }] }, ["/list/0/digit: got a number, must be <= 9"]],
  [byType, { list: [{}, { digit: 1 }] }, ["/list/0/digit: is missing"]],
  [byType, { list: [{ digit: 1 }] }, undefined],
] as const) {
  test(`RFC 9457 §3: one fault for one mistake, in the branch that was meant: ${JSON.stringify(body)}`, () => {
    assert.deepEqual(details(schema, body), expected);
  });
}
