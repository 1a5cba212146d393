import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { clearTextCollection, sealAnew, sealingKeyCollection } from "../security/sealed-documents.ts";
import { SecretBox } from "../security/secret-box.ts";
import type { Json, StoredDocument } from "../storage/collection.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { content, ScriptedDevice } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { OperationSecrets, type StoredOperation } from "./operation-secrets.ts";
import { operationCollection } from "./operation-store.ts";

/** Write-only: WPA Pre Shared Key, WPA Key Phrase. Readable, and a secret by its name: Secret of an APN, activation code of a modem. */
const [preSharedKey, keyPhrase, apnSecret, activationCode] = ["correct horse battery", "staple of secrets", "apn-passw0rd", "4711-0815"];
const secretTexts = [preSharedKey, keyPhrase, apnSecret, activationCode];
/** No model says what arguments are: shown to who may see operations, and sealed. */
const argument = "pin-8842-puk";
/** What a new instance of it needs. */
const wlan = { 0: "wlan1", 1: true, 5: "SSID", 8: 1, 9: 0, 14: 2, 15: 1 };
const changed = { code: ResponseCode.changed };

let world: ServerWorld;
let rest: Rest;
let device: ScriptedDevice;

beforeEach(async () => {
  world = await ServerWorld.open();
  rest = restOf(world);
  device = new ScriptedDevice(world, {
    query: ["lt=86400", "lwm2m=1.1", "b=U", "Q"],
    links: '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</10/0>,</11/0>,</12/0>',
  });
  for (const line of ["PUT /12/0/17", "PUT /12/0/18", "POST /12/0", "PUT /11/0/6", "IPATCH /", "POST /12", "POST /3/0/4"])
    device.answers.set(line, changed);
  device.answers.set("POST /12", { code: ResponseCode.created, locationPath: ["12", "1"] });
  await device.register();
  await world.clock.advance(100_000);
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

/** Texts that lie in a file of the store as they are, or in Base64 or hexadecimal digits. */
async function inFiles(texts: readonly string[]): Promise<readonly string[]> {
  const names = await readdir(world.directory, { recursive: true, withFileTypes: true });
  const files = await Promise.all(names.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name))));
  assert.ok(
    files.some((file) => file.includes("correct-key")),
    "what is no secret is found",
  );
  const forms = (text: string): readonly string[] => [
    text,
    Buffer.from(text).toString("base64").slice(0, -4),
    Buffer.from(text).toString("hex"),
  ];
  return texts.filter((text) => files.some((file) => forms(text).some((form) => file.includes(form))));
}

async function restart(): Promise<void> {
  await world.start();
  rest = restOf(world);
}

const operate = async (body: Json, key?: string): Promise<string> => {
  const made = await rest("POST", "/devices/dev-1/operations", { body, ...(key === undefined ? {} : { key }) });
  assert.equal(made.status, 202, JSON.stringify(made.body));
  assertHidden(made.body);
  return String(at(made.body, "id"));
};

function assertHidden(shown: Json): void {
  const text = JSON.stringify(shown);
  for (const secret of secretTexts) assert.ok(!text.includes(secret), `${secret} is shown in ${text}`);
}

/** What the device was told, all of it. */
const told = (): string => device.requests.map(({ payload }) => Buffer.from(payload).toString()).join("\n");

async function queueAll(): Promise<readonly string[]> {
  const ids = [
    await operate({ kind: "write", path: "/12/0/18", value: keyPhrase, supersedeKey: "correct-key" }, "idempotent"),
    await operate({ kind: "write", path: "/12/0", mode: "update", value: { 17: preSharedKey, 5: "WLAN" } }),
    await operate({ kind: "writeComposite", values: { "/11/0/6": apnSecret, "/10/0/2": activationCode, "/3/0/15": "CET" } }),
    await operate({ kind: "create", path: "/12", value: { 18: keyPhrase, ...wlan } }),
  ];
  await operate({ kind: "execute", path: "/3/0/4", arguments: [{ digit: 0, value: argument }, { digit: 1 }] });
  await operate({ kind: "execute", path: "/3/0/4", arguments: `3='${argument}'` });
  await rest("PUT", "/devices/dev-1/twin/desired", { body: { values: { "/12/0/17": preSharedKey, "/11/0/6": apnSecret } } });
  return ids;
}

describe("keys and passwords in operations", () => {
  test("are nowhere in the files of the store, in no reply and no event, and reach the device as they were given", async () => {
    await rest("PUT", "/devices/dev-1/trace");
    const ids = await queueAll();
    await world.kill();
    assert.deepEqual(await inFiles([...secretTexts, argument]), []);
    await restart();
    const listed = (await rest("GET", "/devices/dev-1/operations")).body;
    assert.deepEqual(at(listed, "items", 0, "arguments"), `3='${argument}'`);
    assert.deepEqual(at(listed, "items", 1, "arguments"), [{ digit: 0, value: argument }, { digit: 1 }]);
    assert.equal(at(listed, "items", 1, "hidesValues"), undefined);
    const addresses = [
      "/operations",
      "/devices/dev-1/operations",
      "/devices/dev-1/queue",
      "/devices/dev-1/twin/desired",
      "/devices/dev-1/twin/diff",
    ];
    for (const address of [...addresses, ...ids.map((id) => `/operations/${id}`)]) assertHidden((await rest("GET", address)).body);
    assert.equal(at((await rest("GET", `/operations/${ids[0]}`)).body, "hidesValues"), true);
    assert.deepEqual(at((await rest("GET", `/operations/${ids[2]}`)).body, "values"), { "/3/0/15": "CET" });
    const again = await rest("POST", "/devices/dev-1/operations", {
      body: { supersedeKey: "correct-key", value: keyPhrase, path: "/12/0/18", kind: "write" },
      key: "idempotent",
    });
    assert.equal(at(again.body, "id"), ids[0]);
    await device.update();
    await world.clock.advance(60_000);
    for (const secret of secretTexts) assert.ok(told().includes(secret), `${secret} has arrived`);
    for (const sent of [`0='${argument}',1`, `3='${argument}'`]) assert.ok(told().split("\n").includes(sent), `${sent} has arrived`);
    for (const id of ids) assert.equal(at((await rest("GET", `/operations/${id}`)).body, "status"), "succeeded");
    assertHidden((await rest("GET", "/devices/dev-1/twin/reported")).body);
    assertHidden((await rest("GET", "/devices/dev-1/trace")).body);
    assertHidden((await world.eventsOf("dev-1")) as unknown as Json);
    await world.stop();
    assert.deepEqual(await inFiles([...secretTexts, argument]), []);
    await restart();
  });

  test("that a model lets be read: neither the result nor twin, history or events have them, read or reported", async () => {
    const values = `[{"bn":"/11/0/","n":"0","vs":"correct-key"},{"n":"6","vs":"${apnSecret}"}]`;
    device.answers.set("GET /11/0", content(values));
    await device.update();
    await world.clock.advance(1_000);
    const read = await rest("POST", "/devices/dev-1/operations", { body: { kind: "read", path: "/11/0" }, waitMs: 5_000 });
    assert.deepEqual(at(read.body, "result", "values", 1), {
      path: "/11/0/6",
      name: "lwm2mApnConnectionProfile/0/secret",
      type: "string",
      value: null,
      isSecret: true,
    });
    assert.equal(at(read.body, "result", "values", 0, "value"), "correct-key");
    await rest("PUT", "/devices/dev-1/resources/11/0/observation", { body: {}, waitMs: 5_000 });
    assert.deepEqual(await world.until(device.notify("/11/0", content(values.replace("correct-key", "correct-key 2")))), { ok: true });
    const known = (await rest("GET", "/devices/dev-1/resources/11/0")).body;
    assert.equal(at(known, "values", 0, "value"), "correct-key 2");
    assertHidden(known);
    assertHidden((await world.eventsOf("dev-1")) as unknown as Json);
    assert.deepEqual(at((await rest("GET", "/devices/dev-1/history?path=/11/0/6")).body, "items"), []);
    await world.kill();
    assert.deepEqual(await inFiles(secretTexts), []);
    await restart();
  });

  test("are put again by a retry, and not named by a refusal that is stored", async () => {
    const id = await operate({ kind: "write", path: "/12/0/18", value: keyPhrase });
    const wrong = await operate({ kind: "write", path: "/12/0/18", value: preSharedKey, supersedeKey: "correct-key" });
    await rest("POST", `/operations/${id}:cancel`);
    const retried = await rest("POST", `/operations/${id}:retry`);
    assert.equal(retried.status, 202);
    await device.update([], "</1/0>,</3/0>");
    await world.clock.advance(5_000);
    assert.deepEqual(
      [at((await rest("GET", `/operations/${wrong}`)).body, "status"), at((await rest("GET", `/operations/${wrong}`)).body, "reason")],
      ["failed", "path-not-in-model"],
    );
    assertHidden((await rest("GET", "/operations")).body);
    await operate({ kind: "write", path: "/12/0/18", value: keyPhrase }).catch(() => {});
    await device.register();
    await world.clock.advance(1_000);
    const last = await rest("PUT", "/devices/dev-1/resources/12/0/18", { body: { value: keyPhrase }, waitMs: 5_000 });
    assert.equal(at(last.body, "status"), "succeeded");
    assert.ok(told().includes(keyPhrase));
  });

  test("a new secret key seals them anew, and the former one is not needed any more", async () => {
    await queueAll();
    const { store } = world;
    const random = seededRandom(3);
    const former = { id: "world", key: new Uint8Array(32).fill(12) };
    const fresh = { id: "fresh", key: new Uint8Array(32).fill(13) };
    const used = store.collection<StoredDocument>(sealingKeyCollection);
    await world.until(used.updateOne({ _id: "world" }, { $set: { firstUsedAt: 0 } }, { upsert: true }));
    assert.ok((await world.until(sealAnew(store, new SecretBox([fresh, former], random), [operationCollection]))) >= 4);
    const secrets = new OperationSecrets(new SecretBox([fresh], random), world.registry, operationCollection);
    const stored = await world.until(store.collection<StoredOperation>(operationCollection).find({ _id: { $gt: "" } }));
    const values = JSON.stringify(stored.map((one) => secrets.opened(one)));
    for (const secret of secretTexts) assert.ok(values.includes(secret), secret);
    // The world's own key is what the server that runs knows.
    await world.until(sealAnew(store, new SecretBox([former, fresh], random), [operationCollection]));
    await world.until(used.updateOne({ _id: "fresh" }, { $set: { firstUsedAt: 0 } }, { upsert: true }));
    await world.until(sealAnew(store, new SecretBox([former, fresh], random), [operationCollection]));
  });

  test("that an earlier version stored in the clear are sealed at the start, and erased where they stood", async () => {
    const ids = await queueAll();
    await world.stop();
    await world.start();
    const collection = world.store.collection<StoredOperation>(operationCollection);
    const secrets = new OperationSecrets(
      new SecretBox([{ id: "world", key: new Uint8Array(32).fill(12) }], seededRandom(4)),
      world.registry,
      operationCollection,
    );
    for (const stored of await world.until(collection.find({ _id: { $gt: "" }, hasSecrets: true }))) {
      const { value, values, arguments: given } = secrets.opened(stored);
      const $set = {
        ...(value === undefined ? {} : { value }),
        ...(values === undefined ? {} : { values }),
        ...(given === undefined ? {} : { arguments: given as Json }),
      };
      const $unset = { secrets: true, sealedBy: true, hasSecrets: true } as const;
      await world.until(collection.updateOne({ _id: stored._id }, { $set, $unset }));
    }
    await world.until(world.store.collection<StoredDocument>(clearTextCollection).deleteOne({ _id: "operations-with-arguments" }));
    await world.stop();
    assert.equal((await inFiles([...secretTexts, argument])).length, secretTexts.length + 1, "the test has stored them in the clear");
    await world.start();
    await world.stop();
    assert.deepEqual(await inFiles([...secretTexts, argument]), []);
    await restart();
    for (const id of ids) assert.equal(at((await rest("GET", `/operations/${id}`)).body, "hidesValues"), true);
    await device.update();
    await world.clock.advance(60_000);
    for (const secret of secretTexts) assert.ok(told().includes(secret), `${secret} has arrived`);
    assert.ok(device.requests.some(({ method }) => method === Method.put || method === Method.post));
  });
});
