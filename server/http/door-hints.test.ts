import assert from "node:assert/strict";
import { test } from "node:test";
import { aDoor, aRoute, bodyOf, json, key, problemOf } from "./door-fixture.ts";
import { openApiRoute } from "./openapi.ts";

test("a JSON reply and a problem end their line, and their length says so", async (t) => {
  const { ask } = await aDoor(t, [aRoute({ path: "/x" })]);
  for (const path of ["/x", "/none"]) {
    const response = await ask(path);
    const text = await response.text();
    assert.ok(text.endsWith("}\n"), path);
    assert.equal(Number(response.headers.get("content-length")), Buffer.byteLength(text));
  }
});

const nearMisses: readonly (readonly [string, string | undefined])[] = [
  ["/devices", "/api/v1/devices"],
  ["/api/devices/a%2Fb", "/api/v1/devices/a%2Fb"],
  ["/api/v2/devices", "/api/v1/devices"],
  ["/api/v1/devices/", "/api/v1/devices"],
  ["/api/v1", undefined],
  ["/", undefined],
];
for (const [path, meant] of nearMisses) {
  test(`404 for ${path} names the description${meant === undefined ? "" : ` and ${meant}`}`, async (t) => {
    const { origin } = await aDoor(t, [aRoute({ path: "/devices" }), aRoute({ path: "/devices/{endpoint}" })]);
    const response = await fetch(origin + path, { headers: { authorization: `Bearer ${key}` } });
    const { detail } = await problemOf(response, 404, "not-found");
    assert.ok(detail.includes("/api/v1/openapi.json"), detail);
    assert.equal(/did you mean ([^?]+)\?/.exec(detail)?.[1], meant);
  });
}

test("an Idempotency-Key is 1 to 255 characters", async (t) => {
  const { ask } = await aDoor(t, [aRoute({ path: "/x", method: "POST" })]);
  const withKey = (key: string) => ask("/x", { method: "POST", headers: { "idempotency-key": key } });
  assert.equal((await bodyOf(await withKey("k".repeat(255)))).idempotencyKey, "k".repeat(255));
  await problemOf(await withKey("k".repeat(256)), 400, "bad-request");
  await problemOf(await withKey(""), 400, "bad-request");
});

test("RFC 3339 §5.6: a wrong instant is answered with the form expected", async (t) => {
  const body = { type: "object", properties: { at: { type: "string", format: "date-time" } } };
  const { ask } = await aDoor(t, [aRoute({ path: "/x", method: "POST", body })]);
  const problem = await problemOf(await ask("/x", { method: "POST", ...json({ at: "2026-13-01T00:00:00Z" }) }), 400, "bad-request");
  assert.match(problem.errors[0].detail, /expected an RFC 3339 date and time/);
});

test("OpenAPI 3.1 §4.8.12: headers a route looks at, and those of its 202, are in the document", async (t) => {
  const replies = { 200: { description: "" }, 202: { description: "" } };
  const routes = [aRoute({ path: "/x", method: "POST", headers: ["Prefer", "Idempotency-Key"], replies })];
  const { ask } = await aDoor(t, [openApiRoute({ version: "1", prefix: "/api/v1", routes, openRoutes: [] })]);
  const { parameters, responses } = (await bodyOf(await ask("/openapi.json"))).paths["/api/v1/x"].post;
  assert.deepEqual(
    parameters.map(({ name, in: place }: { name: string; in: string }) => [name, place]),
    [
      ["Prefer", "header"],
      ["Idempotency-Key", "header"],
    ],
  );
  assert.deepEqual(Object.keys(responses["202"].headers), ["Location", "Retry-After"]);
});
