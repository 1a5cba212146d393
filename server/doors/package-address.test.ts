import assert from "node:assert/strict";
import { test } from "node:test";
import type { Registration } from "../registration/registration.ts";
import { packageAddress } from "./package-address.ts";

const update = { endpoint: "dev1", downloadToken: "t0ken" };
const registered: Pick<Registration, "address"> = { address: { address: "192.0.2.7", port: 5000 } };

const cases: readonly (readonly [string, string | undefined, string | undefined, string | undefined])[] = [
  ["192.0.2.1", undefined, "unused", "coap://192.0.2.1:5683/fw/t0ken"],
  ["2001:db8::1", undefined, "unused", "coap://[2001:db8::1]:5683/fw/t0ken"],
  ["0.0.0.0", undefined, "192.0.2.9", "coap://192.0.2.9:5683/fw/t0ken"],
  ["::", undefined, "2001:db8::9", "coap://[2001:db8::9]:5683/fw/t0ken"],
  ["::", undefined, "::ffff:192.0.2.9", "coap://192.0.2.9:5683/fw/t0ken"],
  ["0.0.0.0", undefined, undefined, undefined],
  ["0.0.0.0", "lwm2m.example", "192.0.2.9", "coap://lwm2m.example:5683/fw/t0ken"],
  ["0.0.0.0", "2001:db8::5", "192.0.2.9", "coap://[2001:db8::5]:5683/fw/t0ken"],
];
for (const [bound, publicHost, local, expected] of cases) {
  test(`RFC 7252 §6.1: bound to ${bound}, public ${publicHost}, seen as ${local}: ${expected}`, async () => {
    const address = packageAddress({
      publicHost,
      bound: { address: bound, port: 5683 },
      securedPort: 5684,
      registrations: { find: async () => registered as Registration },
      findLocalAddressTowards: async (peer) => {
        assert.deepEqual(peer, registered.address);
        return local;
      },
    });
    assert.equal(await address(update), expected);
  });
}

test("RFC 7252 §6.2: a device registered over DTLS fetches over DTLS, from the secured port", async () => {
  const association = { key: -1, identity: undefined, serverName: undefined, fresh: true };
  const secured = { ...registered, address: { ...registered.address, association } };
  const address = packageAddress({
    publicHost: undefined,
    bound: { address: "192.0.2.1", port: 5683 },
    securedPort: 5684,
    registrations: { find: async () => secured as Registration },
    findLocalAddressTowards: async () => undefined,
  });
  assert.equal(await address(update), "coaps://192.0.2.1:5684/fw/t0ken");
});

test("a device that is not registered has no address to fetch from", async () => {
  const registrations = { find: async () => undefined };
  const bound = { address: "192.0.2.1", port: 5683 };
  const address = packageAddress({
    publicHost: undefined,
    bound,
    securedPort: 5684,
    registrations,
    findLocalAddressTowards: async () => "192.0.2.1",
  });
  assert.equal(await address(update), undefined);
});
