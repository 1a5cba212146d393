import assert from "node:assert/strict";
import { test } from "node:test";
import { findCoapUri } from "./coap-uri.ts";

test("RFC 7252 §6.4: a coap URI taken apart", () => {
  assert.deepEqual(findCoapUri("coaps://192.0.2.1"), { secure: true, host: "192.0.2.1", port: 5684, path: [], query: [] });
  assert.deepEqual(findCoapUri("coap://192.0.2.1"), { secure: false, host: "192.0.2.1", port: 5683, path: [], query: [] });
  assert.deepEqual(findCoapUri("coap://[2001:db8::1]:61616/~sensors/temp%20eins?a=1&b"), {
    secure: false,
    host: "2001:db8::1",
    port: 61616,
    path: ["~sensors", "temp eins"],
    query: ["a=1", "b"],
  });
  assert.deepEqual(findCoapUri("coap://example.com/a/%2F/")?.path, ["a", "/", ""]);
});

test("RFC 7252 §6.4: what is no coap URI", () => {
  for (const text of ["", "coap:", "coap://", "coaps://", "http://x/", "192.0.2.1", "coap://x/%zz", "coap://x/#f", "coap://u@x/"]) {
    assert.equal(findCoapUri(text), undefined, text);
  }
});
