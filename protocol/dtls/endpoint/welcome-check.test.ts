import assert from "node:assert/strict";
import { test } from "node:test";
import type { SecureIdentity } from "../../ports/datagram-socket.ts";
import type { ServerCredentials } from "../credentials-contract.ts";
import { clientAt, DtlsWorld, pskServer } from "../testing/dtls-world.ts";
import { JournalDisk, MemoryJournal } from "../testing/memory-journal.ts";

const key = new Uint8Array(32).fill(7);

function nameOf(identity: SecureIdentity): string {
  return identity.kind === "psk" ? new TextDecoder().decode(identity.identity) : "";
}

/** As `pskServer`, with names that are not welcome any more; who is asked about takes a turn of the loop. */
function credentialsWithout(...gone: readonly string[]): ServerCredentials & { readonly asked: string[] } {
  const realm = pskServer().realmOf(undefined);
  const asked: string[] = [];
  const isStillWelcome = async (identity: SecureIdentity): Promise<boolean> => {
    asked.push(nameOf(identity));
    return !gone.includes(nameOf(identity));
  };
  return { asked, realmOf: () => ({ ...realm, isStillWelcome }) };
}

test("persistence: a credential removed while the server was down: its connection does not live on, those of others do", async () => {
  const world = new DtlsWorld();
  const disk = new JournalDisk();
  const before = await world.server({ journal: { store: new MemoryJournal(disk, world.clock), key } });
  const devices = [];
  for (const [place, name] of ["dev1", "dev2", "dev3"].entries()) {
    const device = await world.client({}, { ...clientAt, port: place + 1 });
    devices.push({ device, to: await world.connect(device, name) });
  }
  await before.endpoint.close();
  const credentials = credentialsWithout("dev2");
  const after = await world.server({ server: { credentials }, journal: { store: new MemoryJournal(disk.copy(), world.clock), key } });
  assert.equal(after.endpoint.counters["restored"], 3);
  assert.equal(await world.clock.until(after.endpoint.dropUnwelcome()), 1);
  assert.deepEqual([...credentials.asked].sort(), ["dev1", "dev2", "dev3"]);
  await world.clock.advance(100);
  assert.deepEqual(
    devices.map(({ device }) => device.kinds.at(-1)),
    ["connected", "closed", "connected"],
  );
  for (const { device, to } of devices) device.say(to, "still here");
  await world.clock.advance(100);
  assert.equal(after.heard.length, 2);
  assert.equal(after.endpoint.counters["credentialRemoved"], 1);
  await world.end();
});

test("contract: a look-up that fails drops nobody and is told; nothing is dropped once the endpoint is closed", async () => {
  const world = new DtlsWorld();
  const realm = pskServer().realmOf(undefined);
  let answer: (welcome: boolean) => void = () => {};
  let fail: (error: Error) => void = () => {};
  const isStillWelcome = (): Promise<boolean> =>
    new Promise((resolve, reject) => {
      answer = resolve;
      fail = reject;
    });
  const server = await world.server({ server: { credentials: { realmOf: () => ({ ...realm, isStillWelcome }) } } });
  const client = await world.client();
  await world.connect(client);
  const failing = server.endpoint.dropUnwelcome();
  fail(new Error("the store is away"));
  await assert.rejects(failing, /the store is away/);
  const late = server.endpoint.dropUnwelcome();
  const closing = server.endpoint.close();
  answer(false);
  assert.equal(await late, 0);
  await world.clock.until(closing);
  assert.equal(server.endpoint.counters["credentialRemoved"], 0);
  await world.end();
});

test("contract: `connected` says when its handshake began, so that a removal in the middle of it is seen", async () => {
  const world = new DtlsWorld();
  let found: (key: Uint8Array) => void = () => {};
  const findPsk = (): Promise<Uint8Array> => new Promise((resolve) => (found = resolve));
  const server = await world.server({ server: { credentials: { realmOf: () => ({ findPsk }) } } });
  const client = await world.client();
  const began = world.clock.now();
  const connecting = world.connect(client);
  await world.clock.advance(500);
  found(Buffer.from("key of dev1"));
  await connecting;
  const [connected] = server.news;
  assert.ok(connected?.kind === "connected");
  assert.ok(connected.beganAt >= began && connected.beganAt < began + 500, `${connected.beganAt - began}`);
  server.endpoint.disconnect(connected.peer.association?.key ?? 0, "credential-removed");
  await world.clock.advance(100);
  assert.deepEqual([server.news.at(-1)?.kind, server.endpoint.counters["credentialRemoved"], client.kinds.at(-1)], ["closed", 1, "closed"]);
  assert.equal(server.endpoint.find(connected.peer.association?.key ?? 0), undefined);
  await world.end();
});
