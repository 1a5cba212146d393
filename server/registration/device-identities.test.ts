import assert from "node:assert/strict";
import { test } from "node:test";
import type { Peer } from "@lwm2m/protocol/coap/message";
import type { SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import type { EventDraft } from "../events/event.ts";
import { noCredentials } from "../security/no-credentials.ts";
import { DeviceIdentities } from "./device-identities.ts";
import { MismatchReports } from "./mismatch-reports.ts";

const psk: SecureIdentity = { kind: "psk", identity: Buffer.from("id-1") };
const rpk: SecureIdentity = { kind: "rpk", publicKey: Buffer.from("a key") };
const x509: SecureIdentity = {
  kind: "x509",
  certificate: Buffer.from("a certificate"),
  commonName: "dev-1",
  dnsNames: [],
  uris: [],
  anchorSha256: undefined,
};
const strange: SecureIdentity = { kind: "psk", identity: Buffer.from("nobody") };

function aPeer(identity: SecureIdentity | undefined | "plain"): Peer {
  const address = { address: "10.0.0.2", port: 1 };
  if (identity === "plain") return { key: 1, address, identity: { kind: "none" } };
  const association = { key: -1, identity, serverName: undefined, fresh: true };
  return { key: -1, address: { ...address, association }, identity: identity ?? { kind: "none" } };
}

function identitiesOf(realm: "server" | "bootstrap" = "server") {
  const clock = new VirtualClock();
  const events: EventDraft[] = [];
  const lines: string[] = [];
  const reports = new MismatchReports({
    clock,
    random: seededRandom(1),
    log: { warn: (message) => lines.push(message) },
    events: { append: async (drafts) => void events.push(...drafts), read: async () => [], lastId: () => "", subscribe: () => () => {} },
    supervisor: { run: (work) => void work.catch(assert.fail), settled: async () => {} },
  });
  const credentials = {
    ...noCredentials,
    endpointFor: async (asked: string, identity: SecureIdentity) =>
      asked !== realm || identity === strange ? ({ kind: "unknown" } as const) : ({ kind: "endpoint", endpoint: "dev-1" } as const),
    isSecured: async (asked: string, endpoint: string) => asked === realm && endpoint === "dev-1",
  };
  return { identities: new DeviceIdentities(credentials, realm, reports), reports, events, lines, clock };
}

test("LwM2M Core 1.1 §6.2.1: who may come under which name, by what it proved and what it says", async () => {
  const { identities, reports } = identitiesOf();
  const cases: readonly [Parameters<typeof aPeer>[0], string | undefined, string][] = [
    [psk, "dev-1", "dev-1"],
    [psk, undefined, "dev-1"],
    [psk, "dev-2", "other-endpoint"],
    [psk, "DEV-1", "other-endpoint"],
    [rpk, "dev-1", "dev-1"],
    [rpk, undefined, "unnamed"],
    [rpk, "dev-2", "other-endpoint"],
    [x509, "dev-1", "dev-1"],
    [x509, undefined, "dev-1"],
    [x509, "dev-2", "other-endpoint"],
    [strange, "dev-1", "unknown-identity"],
    [strange, undefined, "unknown-identity"],
    [undefined, "dev-1", "unknown-identity"],
    ["plain", "dev-1", "unsecured"],
    ["plain", "dev-2", "dev-2"],
    ["plain", undefined, "unnamed"],
  ];
  for (const [identity, named, expected] of cases) {
    const admission = await identities.admit(aPeer(identity), named);
    const what = `${identity === "plain" ? identity : identity?.kind} as ${named}`;
    assert.equal(admission.ok ? admission.endpoint : admission.reason, expected, what);
  }
  assert.deepEqual(reports.counters, { "other-endpoint": 4, "unknown-identity": 3, unsecured: 1, unnamed: 0 });
});

test("whose request it is: by the credential over DTLS, by its absence without", async () => {
  const { identities } = identitiesOf();
  const answers = [];
  for (const identity of [psk, strange, undefined, "plain"] as const) {
    answers.push([await identities.is(aPeer(identity), "dev-1"), await identities.is(aPeer(identity), "dev-2")]);
  }
  assert.deepEqual(answers, [
    [true, false],
    [false, false],
    [false, false],
    [false, true],
  ]);
});

test("a name that does not match is counted each time, but logged and told as event sixty times a minute at most, and no secret with it", async () => {
  const { identities, reports, events, lines, clock } = identitiesOf();
  for (let i = 0; i < 500; i += 1) await identities.admit(aPeer(psk), "dev-2");
  assert.deepEqual([reports.counters["other-endpoint"], lines.length, events.length], [500, 60, 60]);
  await clock.advance(60_000);
  await identities.admit(aPeer(psk), "dev-2");
  assert.deepEqual(events.at(-1)?.data, {
    realm: "server",
    reason: "other-endpoint",
    identity: { kind: "psk", identity: "id-1" },
    address: { address: "10.0.0.2", port: 1 },
    leftOut: 440,
  });
  assert.equal(new Set(events.map(({ key }) => key)).size, 61);
});
