import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, test } from "node:test";
import { FirmwareDevice } from "../testing/firmware-device.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { maxPackageBytes } from "../testing/world-server.ts";

const image = new Uint8Array(5_000).map((_, index) => index % 251);
const sha256 = createHash("sha256").update(image).digest("hex");

let world: ServerWorld;
let device: FirmwareDevice;
let rest: Rest;

beforeEach(async () => {
  world = await ServerWorld.open();
  device = new FirmwareDevice(world, { fetches: false });
  rest = restOf(world);
});

afterEach(async () => {
  assert.deepEqual(world.server.failures, []);
  await device.close();
  await world.close();
  assert.equal(world.clock.pendingTimers(), 0, "a timer is left");
});

const upload = (version = "2.0", chunks: readonly Uint8Array[] = [image]) =>
  rest("POST", `/packages?name=sensor&version=${version}`, { upload: chunks });

async function uploaded(version?: string): Promise<string> {
  const { status, body } = await upload(version);
  assert.equal(status, 201);
  return String(at(body, "id"));
}

async function started(): Promise<string> {
  const packageId = await uploaded();
  const { status, body } = await rest("POST", "/devices/dev-1/updates", { body: { packageId } });
  assert.equal(status, 201);
  await world.clock.advance(1_000);
  return String(at(body, "id"));
}

describe("northbound-and-campaigns §3.4: /packages", () => {
  test("one call uploads and describes; the same bytes under another version share their content", async () => {
    const { status, body, headers } = await upload("2.0", [image.subarray(0, 1), image.subarray(1)]);
    assert.equal(status, 201);
    assert.equal(headers["location"], `/api/v1/packages/${at(body, "id")}`);
    assert.deepEqual(
      [at(body, "name"), at(body, "version"), at(body, "sha256"), at(body, "sizeBytes"), at(body, "createdBy")],
      ["sensor", "2.0", sha256, image.length, "tester"],
    );
    assert.deepEqual((await rest("GET", `/packages/${at(body, "id")}`)).body, body);
    const second = await uploaded("2.1");
    assert.equal((await rest("DELETE", `/packages/${at(body, "id")}`)).status, 204);
    assert.equal(at((await rest("GET", `/packages/${second}`)).body, "sha256"), sha256);
    const blob = await world.server.packages.open(sha256);
    assert.deepEqual(await blob?.read(0, image.length), image);
    assert.equal((await rest("DELETE", `/packages/${second}`)).status, 204);
    assert.equal(await world.server.packages.open(sha256), undefined);
  });

  test("the list pages oldest first, whole and without repetition", async () => {
    for (const version of ["1", "2", "3", "4", "5"]) {
      await upload(version, [new TextEncoder().encode(version)]);
      await world.clock.advance(1);
    }
    const versions: unknown[] = [];
    let after: string | null = "";
    while (after !== null) {
      const { body }: { readonly body: Parameters<typeof at>[0] } = await rest(
        "GET",
        `/packages?limit=2${after === "" ? "" : `&after=${after}`}`,
      );
      const items = at(body, "items");
      assert.ok(Array.isArray(items));
      versions.push(...items.map((item) => at(item, "version")));
      const next = at(body, "next");
      after = typeof next === "string" ? next : null;
    }
    assert.deepEqual(versions, ["1", "2", "3", "4", "5"]);
  });

  test("the same name and version again: 409 with the id of the first, whatever the bytes", async () => {
    const id = await uploaded();
    const { status, body } = await upload("2.0", [new Uint8Array(3)]);
    assert.equal(status, "conflict");
    assert.match(String(at(body, "detail")), new RegExp(id));
    assert.equal(at((await rest("GET", `/packages/${id}`)).body, "sha256"), sha256);
  });

  test("too large: 413 and nothing is kept; the largest is taken", async () => {
    const { status, body } = await upload("2.0", [new Uint8Array(maxPackageBytes), new Uint8Array(1)]);
    assert.equal(status, "body-too-large");
    assert.match(String(at(body, "detail")), /100000 bytes/);
    assert.equal((await upload("2.0", [new Uint8Array(maxPackageBytes)])).status, 201);
  });

  test("empty, without name or version, with too long a name: 400", async () => {
    assert.equal((await upload("2.0", [])).status, "bad-request");
    assert.equal((await upload("2.0", [new Uint8Array()])).status, "bad-request");
    for (const query of ["", "?name=sensor", "?version=2.0", "?name=&version=2.0", `?name=${"n".repeat(256)}&version=2.0`]) {
      assert.equal((await rest("POST", `/packages${query}`, { upload: [image] })).status, "bad-request", query);
    }
    assert.deepEqual(at((await rest("GET", "/packages")).body, "items"), []);
  });

  test("unknown ids: 404", async () => {
    assert.equal((await rest("GET", "/packages/none")).status, "package-unknown");
    assert.equal((await rest("DELETE", "/packages/none")).status, "package-unknown");
  });

  test("a package that a running update needs stays, one that came to be needed while it was deleted as well", async () => {
    await device.device.register();
    const update = await started();
    const [pack] = await world.until(world.server.packages.page(1, undefined));
    assert.ok(pack);
    assert.equal((await rest("DELETE", `/packages/${pack._id}`)).status, "conflict");
    const answers = [false, true];
    assert.equal(await world.until(world.server.packages.delete(pack, async () => answers.shift() ?? true)), false);
    assert.equal((await rest("GET", `/packages/${pack._id}`)).status, 200);
    assert.equal((await rest("POST", `/updates/${update}:cancel`)).status, 200);
    assert.equal((await rest("DELETE", `/packages/${pack._id}`)).status, 204);
  });
});

describe("northbound-and-campaigns §3.4: /updates", () => {
  test("start, look, list, cancel: the view tells what it waits for and never more than the size as served", async () => {
    await device.device.register();
    const id = await started();
    const { status, body } = await rest("GET", `/updates/${id}`);
    assert.equal(status, 200);
    assert.deepEqual(
      [at(body, "state"), at(body, "waitingFor", "code"), at(body, "attempt"), at(body, "targetVersion"), at(body, "sizeBytes")],
      ["downloading", "download", 1, "2.0", image.length],
    );
    assert.equal(at(body, "packageUri"), `coap://10.0.0.1:5683${at(body, "downloadPath")}`);
    assert.equal(at(body, "seen", "version"), "1.0");
    assert.deepEqual((await rest("GET", "/devices/dev-1/updates")).body, { items: [body] });
    const cancelled = await rest("POST", `/updates/${id}:cancel`);
    assert.deepEqual([cancelled.status, at(cancelled.body, "state"), at(cancelled.body, "nextStepAt")], [200, "cancelled", null]);
    assert.match(String(at(cancelled.body, "detail")), /tester/);
    assert.equal((await rest("POST", `/updates/${id}:cancel`)).status, "conflict");
  });

  test("a second update of the same device: 409 with the first one's id", async () => {
    await device.device.register();
    const id = await started();
    const [pack] = await world.until(world.server.packages.page(1, undefined));
    const { status, body } = await rest("POST", "/devices/dev-1/updates", { body: { packageId: pack?._id ?? "" } });
    assert.equal(status, "conflict");
    assert.match(String(at(body, "detail")), new RegExp(id));
  });

  test("cancel while the device installs: 409", async () => {
    device.behaviour.fetches = true;
    await device.device.register();
    const id = await started();
    await world.clock.advance(2_000);
    assert.equal(at((await rest("GET", `/updates/${id}`)).body, "state"), "rebooting");
    const { status, body } = await rest("POST", `/updates/${id}:cancel`);
    assert.equal(status, "conflict");
    assert.match(String(at(body, "detail")), /installing/);
  });

  test("refusals: unknown device, package and update; wrong bodies with the pointer", async () => {
    await device.device.register();
    const packageId = await uploaded();
    const post = (body: { readonly [field: string]: string | number }, endpoint = "dev-1") =>
      rest("POST", `/devices/${endpoint}/updates`, { body });
    assert.equal((await post({ packageId }, "nobody")).status, "device-unknown");
    assert.equal((await rest("GET", "/devices/nobody/updates")).status, "device-unknown");
    const unknown = await post({ packageId: "none" });
    assert.deepEqual([unknown.status, at(unknown.body, "errors", 0, "pointer")], ["package-unknown", "/packageId"]);
    assert.equal((await rest("GET", "/updates/none")).status, "update-unknown");
    assert.equal((await rest("POST", "/updates/none:cancel")).status, "update-unknown");
    assert.equal((await rest("POST", "/devices/dev-1/updates")).status, "bad-request");
    const wrong: readonly { readonly [field: string]: string | number }[] = [
      {},
      { packageId: 7 },
      { packageId, surplus: 1 },
      { packageId, expiresAt: "soon" },
    ];
    for (const body of wrong) {
      assert.equal((await post(body)).status, "bad-request", JSON.stringify(body));
    }
    const past = await post({ packageId, expiresAt: "2001-01-01T00:00:00Z" });
    assert.deepEqual([past.status, at(past.body, "errors", 0, "pointer")], ["bad-request", "/expiresAt"]);
    assert.deepEqual((await rest("GET", "/devices/dev-1/updates")).body, { items: [] });
  });

  test("a package deleted in the same moment: 404, and no update runs", async () => {
    await device.device.register();
    const packageId = await uploaded();
    const { packages } = world.server;
    const find = packages.find;
    let finds = 0;
    const vanishing = { ...packages, find: (id: string) => (++finds === 1 ? find(id) : Promise.resolve(undefined)) };
    const raced = restOf(world, vanishing);
    assert.equal((await raced("POST", "/devices/dev-1/updates", { body: { packageId } })).status, "package-unknown");
    assert.equal(await world.until(world.server.updates.isPackageInUse(packageId)), false);
  });
});
