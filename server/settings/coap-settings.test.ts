import assert from "node:assert/strict";
import { test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import type { Peer } from "@lwm2m/protocol/coap/message";
import { parametersOf } from "../devices/link-profile.ts";
import { bufferWarning, coapChallenge, coapLimits, usualLink } from "./coap-settings.ts";
import { parseSettings, type Settings } from "./config.ts";

function settingsOf(env: { readonly [name: string]: string }): Settings {
  const parsed = parseSettings(env, []);
  return parsed.kind === "settings" ? parsed.settings : assert.fail(JSON.stringify(parsed));
}

const plain: Peer = { key: 1, address: { address: "10.0.0.2", port: 1 }, identity: { kind: "none" } };
const association = { key: -1, identity: undefined, serverName: undefined, fresh: true };
const secured: Peer = { key: -1, address: { address: "10.0.0.2", port: 1, association }, identity: { kind: "none" } };

test("the limits of a door are settings; a single body always fits the room for all bodies", () => {
  const limits = coapLimits(
    settingsOf({ COAP_PEERS: "500", COAP_PEER_RATE: "5", COAP_PEER_BURST: "7", COAP_BODY_BYTES: "10000000", COAP_BODIES_BYTES: "1048576" }),
  );
  assert.deepEqual(limits, {
    peers: 500,
    messagesPerSecondPerPeer: 5,
    messageBurstPerPeer: 7,
    messagesPerSecond: 250_000,
    messageBurst: 250_000,
    requestBodyBytes: 10_000_000,
    bodyBytes: 10_000_000,
  });
});

test("COAP_LINK_PROFILE names the link of all devices; one nobody knows is refused by name", () => {
  assert.equal(parametersOf(usualLink(settingsOf({}))).ackTimeoutMs, 2_000);
  assert.equal(parametersOf(usualLink(settingsOf({ COAP_LINK_PROFILE: "nbiot" }))).ackTimeoutMs, 15_000);
  assert.deepEqual(usualLink(settingsOf({ COAP_LINK_PROFILE: "ltem", AWAKE_SECONDS: "20" })), { profile: "ltem", awakeSeconds: 20 });
  const refused = parseSettings({ COAP_LINK_PROFILE: "5g" }, []);
  assert.match(refused.kind === "errors" ? String(refused.errors[0]) : "", /^COAP_LINK_PROFILE: got "5g", expected one of default, nbiot/);
});

test("RFC 9175 §2.3: who is challenged: nobody, who introduces itself, everybody; never a peer with a secured connection", () => {
  const off = coapChallenge("off");
  const registration = coapChallenge("registration");
  const all = coapChallenge("all");
  const requests = [
    { method: Method.post, path: ["rd"] },
    { method: Method.post, path: ["bs"] },
    { method: Method.post, path: ["rd", "location"] },
    { method: Method.post, path: ["dp"] },
    { method: Method.get, path: [".well-known", "core"] },
  ];
  assert.deepEqual(
    requests.map((request) => registration({ peer: plain, ...request })),
    [true, true, false, false, false],
  );
  for (const request of requests) {
    assert.deepEqual(
      [all({ peer: plain, ...request }), all({ peer: secured, ...request }), registration({ peer: secured, ...request })],
      [true, false, false],
    );
    assert.equal(off({ peer: plain, ...request }), false);
  }
});

test("RFC 9175 §2.3: a connection restored without its replay window proves for each request that changes something that it is no copy", () => {
  const restored: Peer = { ...secured, address: { ...secured.address, association: { ...association, fresh: false } } };
  const challenge = coapChallenge("off");
  const isAsked = (method: Method): boolean => challenge({ peer: restored, method, path: ["rd", "location"] });
  assert.deepEqual([Method.post, Method.put, Method.delete, Method.get, Method.fetch].map(isAsked), [true, true, true, false, false]);
});

test("a receive buffer smaller than asked for is a warning that says what to do; one as large or larger is none", () => {
  assert.equal(bufferWarning(4_194_304, 4_194_304), undefined);
  assert.equal(bufferWarning(4_194_304, 8_388_608), undefined);
  assert.match(bufferWarning(4_194_304, 425_984) ?? "", /425984 bytes in place of 4194304.*sysctl -w net\.core\.rmem_max=4194304/);
});
