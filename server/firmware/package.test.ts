import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Method } from "@lwm2m/protocol/coap/codes";
import type { IncomingResponse, OutgoingRequest } from "@lwm2m/protocol/coap/message";
import { ScriptedPeer } from "@lwm2m/protocol/testing/scripted-peer";
import { FirmwareDevice } from "../testing/firmware-device.ts";
import { at, type Rest, restOf } from "../testing/rest.ts";
import { codeOf } from "../testing/scripted-device.ts";
import { maxPackageBytes, ServerWorld, serverAddress } from "../testing/server-world.ts";

const image = new Uint8Array(5_000).map((_, index) => index % 251);
const sha256 = createHash("sha256").update(image).digest("hex");
const opaque = 42;
/** Option numbers and values of RFC 7959 §2.1. */
const block2 = 23;
const etag = 4;
const szx1024 = 6;

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

describe("RFC 7959 §2.4: GET /fw/{token}", () => {
  async function path(): Promise<readonly string[]> {
    const id = await started();
    return String(at((await rest("GET", `/updates/${id}`)).body, "downloadPath"))
      .slice(1)
      .split("/");
  }

  const get = (segments: readonly string[], more: Partial<OutgoingRequest> = {}): Promise<IncomingResponse> =>
    device.device.send({ method: Method.get, path: segments, ...more });

  beforeEach(() => device.device.register());

  test("the whole package, as opaque bytes, with an ETag", async () => {
    const response = await get(await path(), { accept: opaque });
    assert.equal(codeOf(response), "2.05");
    assert.equal(response.contentFormat, opaque);
    assert.deepEqual(response.payload, image);
    assert.equal(Buffer.from(response.etag ?? []).toString("hex"), sha256.slice(0, 16));
  });

  test("any block in any order, by a server that keeps nothing: each with the same ETag, more until the last", async () => {
    const segments = await path();
    const last = Math.floor(image.length / 1_024);
    for (const number of [3, 0, last, 1]) {
      const answer = await block(segments, number);
      assert.deepEqual(answer.payload, image.slice(number * 1_024, (number + 1) * 1_024), `block ${number}`);
      assert.deepEqual([answer.more, answer.etag], [number < last, sha256.slice(0, 16)], `block ${number}`);
    }
    assert.equal((await block(segments, last + 1)).code, "4.02", "beyond the end");
  });

  test("an update that is over is served no longer, from one moment to the next", async () => {
    const segments = await path();
    assert.equal((await block(segments, 0)).code, "2.05");
    const [update] = await world.until(world.server.updates.page("dev-1", 1));
    assert.equal((await rest("POST", `/updates/${update?._id}:cancel`)).status, 200);
    assert.equal((await block(segments, 1)).code, "4.04");
  });

  test("unknown tokens, no token, something behind it: 4.04; other methods: 4.05; other formats: 4.06", async () => {
    const segments = await path();
    for (const wrong of [["fw"], ["fw", ""], ["fw", "none"], [...segments, "x"]]) {
      assert.equal(codeOf(await get(wrong)), "4.04", wrong.join("/"));
    }
    for (const method of [Method.post, Method.put, Method.delete]) assert.equal(codeOf(await get(segments, { method })), "4.05");
    assert.equal(codeOf(await get(segments, { accept: 0 })), "4.06");
  });

  test("progress is stored now and then, and in the end; repeated last blocks are no news", async () => {
    const segments = await path();
    const served = async () => (await world.until(world.server.updates.page("dev-1", 1)))[0];
    await block(segments, 0);
    await block(segments, 1);
    assert.equal((await served())?.servedBytes, 1_024);
    await block(segments, 4);
    assert.equal((await served())?.servedBytes, image.length);
    const lastAt = (await served())?.servedAt;
    for (let i = 0; i < 10; i += 1) await block(segments, 4);
    assert.equal((await served())?.servedAt, lastAt);
  });

  /** One datagram there and back: an endpoint of our own would fetch the rest by itself. */
  async function block(segments: readonly string[], number: number) {
    const peer = new ScriptedPeer(world.network, world.clock, { address: "10.0.0.9", port: 0 }, serverAddress);
    const messageId = (++messageIds).toString(16).padStart(4, "0");
    // CON GET, token 01020304, Uri-Path twice, Block2.
    const [prefix = "", token = ""] = segments;
    const uriPath = `b2${hexOf(prefix)} 0d${(token.length - 13).toString(16).padStart(2, "0")}${hexOf(token)}`;
    const [answer = ""] = await peer.ask(
      `4401${messageId} 01020304 ${uriPath} c1${((number << 4) | szx1024).toString(16).padStart(2, "0")}`,
    );
    await peer.close();
    return readBlock(Buffer.from(answer, "hex"));
  }
});

let messageIds = 0x1000;

function hexOf(text: string): string {
  return Buffer.from(text).toString("hex");
}

/** RFC 7252 §3, as far as answers of the package server go: no option has an extended delta, none is longer than 12 bytes. */
function readBlock(datagram: Buffer) {
  const code = datagram[1] ?? 0;
  const options = new Map<number, Buffer>();
  let offset = 4 + ((datagram[0] ?? 0) & 15);
  let number = 0;
  while (offset < datagram.length && datagram[offset] !== 0xff) {
    const head = datagram[offset] ?? 0;
    number += head >> 4;
    options.set(number, datagram.subarray(offset + 1, offset + 1 + (head & 15)));
    offset += 1 + (head & 15);
  }
  return {
    code: `${code >> 5}.${String(code & 31).padStart(2, "0")}`,
    payload: new Uint8Array(datagram.subarray(offset + 1)),
    etag: options.get(etag)?.toString("hex"),
    more: ((options.get(block2)?.at(-1) ?? 0) & 8) !== 0,
  };
}
