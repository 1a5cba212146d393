import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Presented, ServerRealm, Verdict } from "@lwm2m/protocol/dtls/credentials-contract";
import { issue, makeTestAuthority, makeTestKey } from "@lwm2m/protocol/dtls/testing/test-authority";
import type { SecureIdentity } from "@lwm2m/protocol/ports/datagram-socket";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { eventsDefinition, openEventLog } from "../events/event-log.ts";
import { type DocumentWithOutbox, openOutboxRelay } from "../events/outbox-relay.ts";
import type { Realm } from "../security/device-credentials.ts";
import { openSecretBox, sealingKeyCollection } from "../security/sealed-documents.ts";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import { openSupervisor } from "../supervisor.ts";
import { type WatchedStore, watchStore } from "../testing/watched-store.ts";
import { type Credential, type CredentialRequest, credentialCollection } from "./credential.ts";
import { openSecurityStore, type SecurityStore } from "./security-store.ts";
import { serverIdentityCollection } from "./server-identity.ts";
import { trustAnchorCollection } from "./trust-anchor.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const withOutbox = [credentialCollection, trustAnchorCollection, serverIdentityCollection];

/** One directory; stores come and go on it. */
async function aPlace(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "security-store-"));
  t.after(() => rm(directory, { recursive: true }));
  const clock = new VirtualClock();
  const random = seededRandom(11);
  return async function withStore<T>(work: (security: SecurityStore, store: WatchedStore) => Promise<T>) {
    const collections = [eventsDefinition, sealingKeyCollection, ...withOutbox];
    const opened = await openEmbeddedStore({ directory, collections, strictFilters: true });
    const store = watchStore(opened);
    const failures: string[] = [];
    const supervisor = openSupervisor({ error: (message, fields) => failures.push(`${message}: ${fields?.["error"]}`) });
    const events = await openEventLog({ store, clock });
    const relay = await openOutboxRelay({
      log: events,
      clock,
      collections: withOutbox.map((one) => store.collection<DocumentWithOutbox>(one)),
    });
    const secrets = await openSecretBox({ store, clock, random, keyFile: { file: undefined, dataDir: directory } });
    try {
      const security = await openSecurityStore({ store, relay, clock, random, supervisor, secrets });
      const result = await work(security, store);
      await relay.settled();
      await supervisor.settled();
      const log = await events.read({ after: "", limit: 1_000 }).catch(() => []);
      return { result, failures, news: log.filter(({ data }) => !JSON.stringify(data).includes('"of":"server"')) };
    } finally {
      store.fail(undefined);
      await relay.close();
      await supervisor.settled();
      await opened.close();
    }
  };
}

const aPsk = (more: Partial<CredentialRequest> = {}): CredentialRequest => ({
  realm: "server",
  endpoint: "dev-1",
  kind: "psk",
  shown: utf8("id-1"),
  key: utf8("a key of sixteen"),
  ...more,
});
const pskIdentity = (name: string): SecureIdentity => ({ kind: "psk", identity: utf8(name) });

function realmFor(security: SecurityStore, realm: Realm = "server", serverName?: string): ServerRealm {
  return security.serverCredentials(realm).realmOf(serverName) ?? assert.fail("no realm");
}
const findPsk = async (security: SecurityStore, name: string, realm: Realm = "server") => realmFor(security, realm).findPsk?.(utf8(name));
const verify = async (security: SecurityStore, presented: Presented, realm: Realm = "server"): Promise<Verdict> =>
  realmFor(security, realm).verifyClient?.(presented) ?? assert.fail("clients are not verified");
const endpointOf = async (security: SecurityStore, identity: SecureIdentity, realm: Realm = "server") => {
  const outcome = await security.endpointFor(realm, identity);
  return outcome.kind === "endpoint" ? outcome.endpoint : undefined;
};

test("a pre-shared key is found in its realm only, and stands for its endpoint name", async (t) => {
  const withStore = await aPlace(t);
  const { failures } = await withStore(async (security) => {
    assert.ok((await security.credentials.create(aPsk())).ok);
    assert.deepEqual(await findPsk(security, "id-1"), utf8("a key of sixteen"));
    assert.equal(await findPsk(security, "id-1", "bootstrap"), undefined);
    for (const nobody of ["id-2", "", "i".repeat(129)]) assert.equal(await findPsk(security, nobody), undefined);
    assert.equal(await endpointOf(security, pskIdentity("id-1")), "dev-1");
    assert.equal(await endpointOf(security, pskIdentity("id-1"), "bootstrap"), undefined);
    assert.deepEqual([await security.isSecured("server", "dev-1"), await security.isSecured("server", "dev-2")], [true, false]);
    assert.equal(await security.isSecured("bootstrap", "dev-1"), false);
  });
  assert.deepEqual(failures, []);
  await withStore(async (security) => assert.deepEqual(await findPsk(security, "id-1"), utf8("a key of sixteen")));
});

test("one identity belongs to one endpoint name per realm; a change frees the former one", async (t) => {
  const withStore = await aPlace(t);
  await withStore(async (security) => {
    const { credentials } = security;
    const first = await credentials.create(aPsk());
    assert.ok(first.ok);
    assert.deepEqual(await credentials.create(aPsk({ endpoint: "dev-2" })), { ok: false, reason: "taken", owner: "dev-1" });
    assert.ok((await credentials.create(aPsk({ endpoint: "dev-2", realm: "bootstrap" }))).ok);
    const moved = await credentials.replace(first.credential._id, aPsk({ shown: utf8("id-9") }), true);
    assert.ok(moved.ok);
    assert.equal(await findPsk(security, "id-1"), undefined);
    const second = await credentials.create(aPsk({ endpoint: "dev-2" }));
    assert.ok(second.ok);
    assert.deepEqual(await credentials.replace(second.credential._id, aPsk({ shown: utf8("id-9") }), true), {
      ok: false,
      reason: "taken",
      owner: "dev-1",
    });
    assert.equal(await endpointOf(security, pskIdentity("id-1")), "dev-2");
  });
});

test("two that ask for the same identity at once: one gets it", async (t) => {
  const withStore = await aPlace(t);
  await withStore(async ({ credentials }) => {
    const outcomes = await Promise.all(["a", "b", "c"].map((endpoint) => credentials.create(aPsk({ endpoint }))));
    assert.equal(outcomes.filter(({ ok }) => ok).length, 1);
  });
});

test("the same again changes nothing; a key left out stays; only what changed drops connections", async (t) => {
  const withStore = await aPlace(t);
  const { news } = await withStore(async (security) => {
    const { credentials } = security;
    const dropped: string[] = [];
    security.onRemoved((realm, matches) => {
      for (const name of ["id-1", "id-2"]) if (matches(pskIdentity(name))) dropped.push(`${realm} ${name}`);
    });
    const made = await credentials.create(aPsk());
    const id = made.ok ? made.credential._id : assert.fail();
    await credentials.replace(id, aPsk(), true);
    await credentials.replace(id, aPsk({ key: undefined }), true);
    assert.equal((await credentials.find(id))?.rev, 1);
    assert.deepEqual(dropped, []);
    await credentials.replace(id, aPsk({ key: undefined, shown: utf8("id-2") }), true);
    assert.deepEqual(await findPsk(security, "id-2"), utf8("a key of sixteen"));
    assert.deepEqual(dropped, ["server id-1"]);
    await credentials.replace(id, aPsk({ key: utf8("another sixteen!"), shown: utf8("id-2") }), false);
    assert.deepEqual(dropped, ["server id-1"]);
    await credentials.remove(id, true);
    assert.deepEqual(dropped, ["server id-1", "server id-2"]);
    assert.equal(await credentials.remove(id, true), false);
    assert.equal(await security.isSecured("server", "dev-1"), false);
  });
  assert.deepEqual(
    news.map(({ type, subject, data }) => [type, subject, Reflect.get(Object(data), "connectionsDropped")]),
    [
      ["credential.created", "dev-1", undefined],
      ["credential.replaced", "dev-1", true],
      ["credential.replaced", "dev-1", false],
      ["credential.removed", "dev-1", true],
    ],
  );
});

test("RFC 7250: a raw key is known by itself; a pinned certificate too, whoever signed it", async (t) => {
  const withStore = await aPlace(t);
  const key = makeTestKey().publicKey;
  const own = issue(makeTestAuthority("nobody knows"), { commonName: "any" });
  await withStore(async (security) => {
    await security.credentials.create(aPsk({ kind: "rpk", shown: key, key: undefined }));
    await security.credentials.create(aPsk({ kind: "x509", shown: own.certificate, key: undefined, endpoint: "dev-2" }));
    const byKey = await verify(security, { kind: "rpk", publicKey: key });
    const byCertificate = await verify(security, { kind: "x509", chain: own.chain });
    assert.ok(byKey.ok && byCertificate.ok);
    assert.equal(await endpointOf(security, byKey.identity), "dev-1");
    assert.equal(await endpointOf(security, byCertificate.identity), "dev-2");
    assert.equal((await verify(security, { kind: "rpk", publicKey: key }, "bootstrap")).ok, false);
    assert.equal((await verify(security, { kind: "rpk", publicKey: makeTestKey().publicKey })).ok, false);
  });
});

test("under an anchor the rule names the device; without a name, or after its removal, nobody comes in", async (t) => {
  const withStore = await aPlace(t);
  const root = makeTestAuthority("root");
  const good = issue(root, { uris: ["urn:dev:ops:1"] });
  const nameless = issue(root, { commonName: "only-a-common-name" });
  await withStore(async (security) => {
    const rule = { realm: "server", certificate: root.certificate, source: "uri", prefix: "urn:dev:" } as const;
    const made = await security.anchors.create(rule);
    assert.ok(made.ok);
    assert.deepEqual(await security.anchors.create(rule), { ok: false, reason: "taken" });
    const verdict = await verify(security, { kind: "x509", chain: good.chain });
    assert.ok(verdict.ok);
    assert.equal(await endpointOf(security, verdict.identity), "urn:dev:ops:1");
    const refusal = await verify(security, { kind: "x509", chain: nameless.chain });
    assert.match(refusal.ok ? "" : refusal.reason, /no endpoint name/);
    assert.deepEqual(
      [await security.isSecured("server", "urn:dev:ops:77"), await security.isSecured("bootstrap", "urn:dev:ops:77")],
      [true, false],
    );
    let gone = 0;
    security.onRemoved((_, matches) => {
      gone += Number(matches(verdict.identity)) + Number(matches(pskIdentity("x")));
    });
    await security.anchors.remove(made.anchor._id, true);
    assert.equal(gone, 1);
    assert.equal(await endpointOf(security, verdict.identity), undefined);
    assert.equal((await verify(security, { kind: "x509", chain: good.chain })).ok, false);
  });
});

test("each realm has a key of its own from the first start on, and keeps it", async (t) => {
  const withStore = await aPlace(t);
  const keysOf = async (security: SecurityStore) =>
    [realmFor(security).own, realmFor(security, "bootstrap").own].map((own) => Buffer.from(own?.publicKey ?? []).toString("hex"));
  const { result: first } = await withStore(keysOf);
  const { result: second } = await withStore(keysOf);
  assert.deepEqual(first, second);
  assert.equal(new Set(first).size, 2);
});

test("RFC 6066 §3: a server name that was set up gets its identity, any other the usual one", async (t) => {
  const withStore = await aPlace(t);
  await withStore(async (security) => {
    const made = await security.identities.create({ realm: "server", serverName: "a.example", privateKey: undefined, chain: undefined });
    assert.ok(made.ok);
    const usual = realmFor(security).own?.publicKey;
    const keyFor = (name: string | undefined) => realmFor(security, "server", name).own?.publicKey;
    assert.notDeepEqual(keyFor("A.example"), usual);
    assert.deepEqual(keyFor("b.example"), usual);
    assert.equal(await security.identities.remove(made.identity._id), "removed");
    assert.deepEqual(keyFor("a.example"), usual);
    const [server] = await security.identities.list({ after: "", limit: 1 });
    assert.equal(await security.identities.remove(server?._id ?? ""), "needed");
  });
});

test("a kill at any write leaves a credential as it was or as it was to be, and its event once", async (t) => {
  const steps: readonly [
    string,
    (security: SecurityStore, id: string) => Promise<unknown>,
    readonly [string | undefined, string | undefined],
  ][] = [
    ["create", ({ credentials }) => credentials.create(aPsk({ endpoint: "new", shown: utf8("new") })), [undefined, "created"]],
    ["replace", ({ credentials }, id) => credentials.replace(id, aPsk({ shown: utf8("id-2") }), true), ["created", "replaced"]],
    ["remove", ({ credentials }, id) => credentials.remove(id, true), ["created", "removed"]],
  ];
  for (const [step, act, [before, after]] of steps) {
    for (const moment of ["before", "after"] as const) {
      for (let nth = 1; nth <= 4; nth += 1) {
        const withStore = await aPlace(t);
        const setUp = await withStore(({ credentials }) => credentials.create(aPsk()));
        const id = setUp.result.ok ? setUp.result.credential._id : assert.fail();
        await withStore(async (security, store) => {
          store.dieAtWrite(store.writes + nth, moment, () => {});
          await act(security, id).catch(() => undefined);
        });
        const subject = step === "create" ? "new" : "dev-1";
        const { news, result } = await withStore(async (security, store) => {
          // A gravestone whose event is in the log is gone.
          assert.equal(await store.collection<Credential>(credentialCollection).count({ removed: true }), 0);
          return stateOf(security, step === "create" ? "new" : undefined, id);
        });
        const last = news.filter((event) => event.subject === subject).map(({ type }) => type.slice("credential.".length));
        assert.equal(new Set(news.map(({ sourceKey }) => sourceKey)).size, news.length);
        const label = `${step} killed ${moment} write ${nth}`;
        assert.ok([before, after].includes(last.at(-1)), label);
        assert.equal(result, last.at(-1) === after ? step : "untouched", label);
        // The first write is the change itself: whatever dies later finds it done.
        if (nth > 1 || moment === "after") assert.equal(last.at(-1), after, label);
      }
    }
  }
});

async function stateOf(security: SecurityStore, created: string | undefined, id: string): Promise<string> {
  if (created !== undefined) return (await findPsk(security, created)) === undefined ? "untouched" : "create";
  const found: Credential | undefined = await security.credentials.find(id);
  if (found === undefined) {
    assert.equal(await findPsk(security, "id-1"), undefined);
    return "remove";
  }
  if ((await findPsk(security, "id-2")) !== undefined) {
    assert.equal(await findPsk(security, "id-1"), undefined);
    return "replace";
  }
  return (await findPsk(security, "id-1")) === undefined ? "lost" : "untouched";
}
