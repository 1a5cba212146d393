import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { getHeapStatistics } from "node:v8";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import { encodeUint, OptionNumber } from "@lwm2m/protocol/coap/options";
import { MemoryNetwork } from "@lwm2m/protocol/testing/memory-network";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { openEmbeddedStore } from "../storage/embedded-store.ts";
import { watchStore } from "../testing/watched-store.ts";
import { packageHandler } from "./package-coap.ts";
import { openPackageService } from "./package-service.ts";
import { packageCollection } from "./package-store.ts";
import type { FirmwareUpdate } from "./update.ts";

const mebibyte = 1_048_576;
const packageBytes = 100 * mebibyte;
const blockBytes = 1_024;
const transfers = 32;
const blocksEach = 150;
const serverAddress = { address: "192.0.2.1", port: 5683 };

/** What a byte of the package is, from where it lies. */
const byteAt = (offset: number): number => (offset * 31 + Math.floor(offset / 4_096)) % 251;

async function* thePackage(): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < packageBytes; offset += mebibyte) {
    const chunk = new Uint8Array(mebibyte);
    for (let i = 0; i < mebibyte; i++) chunk[i] = byteAt(offset + i);
    yield chunk;
  }
}

/** What this process holds, in and beside the heap. */
function heldBytes(): number {
  const { used_heap_size, external_memory, malloced_memory } = getHeapStatistics();
  return used_heap_size + external_memory + malloced_memory;
}

/** A real store of 100 MB behind the package server; `longestRead` is the most a block was read at once. */
async function aPackageServer(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "package-memory-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const store = watchStore(await openEmbeddedStore({ directory, collections: [packageCollection] }));
  t.after(() => store.close());
  const clock = new VirtualClock(undefined, () => store.settle());
  const network = new MemoryNetwork(clock, seededRandom(1));
  const packages = openPackageService({ store, clock, random: seededRandom(2) });
  const added = await packages.add({ name: "large", version: "1", createdBy: "test" }, thePackage());
  assert.ok(added.ok && added.package.sizeBytes === packageBytes);
  const { sha256 } = added.package;
  // Of an update the package server looks at its state and its package only.
  const updates = {
    findByToken: async (token: string) => ({ _id: token, downloadToken: token, state: "downloading", sha256 }) as FirmwareUpdate,
    noteServed: () => {},
    onEnded: () => {},
  };
  const seen = { longestRead: 0 };
  const open: typeof packages.open = async (id) => {
    const blob = await packages.open(id);
    if (blob === undefined) return undefined;
    return {
      ...blob,
      read(offset, length) {
        seen.longestRead = Math.max(seen.longestRead, length);
        return blob.read(offset, length);
      },
    };
  };
  const server = openCoapEndpoint({ socket: network.socket(serverAddress), clock, random: seededRandom(3) });
  server.handle(packageHandler({ updates, packages: { open }, now: () => clock.now() }));
  t.after(() => server.close());
  return { clock, network, seen };
}

test("RFC 7959 §2.4: 100 MB are served to many devices at once with no more than a block of each in memory", async (t) => {
  const { clock, network, seen } = await aPackageServer(t);
  const random = seededRandom(4);
  let most = 0;
  const before = heldBytes();
  const device = async (index: number): Promise<void> => {
    const socket = network.socket({ address: "10.0.0.2", port: 10_000 + index });
    const endpoint = openCoapEndpoint({ socket, clock, random });
    for (let i = 0; i < blocksEach; i++) {
      // From the first block to the last, all over the package.
      const number = i === blocksEach - 1 ? packageBytes / blockBytes - 1 : Math.floor(random.fraction() * (packageBytes / blockBytes));
      const options = [{ number: OptionNumber.block2, value: encodeUint((number << 4) | 6) }];
      const outcome = await endpoint.request(endpoint.peerAt(serverAddress), {
        method: Method.get,
        path: ["fw", `device-${index}`],
        options,
      });
      assert.ok(outcome.ok && outcome.response.code === ResponseCode.content, JSON.stringify(outcome));
      const { payload } = outcome.response;
      assert.deepEqual(
        [payload.length, payload[0], payload[1_023]],
        [blockBytes, byteAt(number * blockBytes), byteAt(number * blockBytes + 1_023)],
      );
      most = Math.max(most, heldBytes() - before);
    }
    await endpoint.close();
  };
  await clock.until(Promise.all(Array.from({ length: transfers }, (_, index) => device(index))), 600_000);
  assert.equal(seen.longestRead, blockBytes);
  // Held whole, one package would be 100 MiB and all of them 3.2 GiB; what is here is garbage of the tests themselves.
  assert.ok(most < 64 * mebibyte, `${Math.round(most / mebibyte)} MiB more than before`);
});
