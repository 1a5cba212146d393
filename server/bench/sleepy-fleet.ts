/** The devices of a wake-up trace against the real server, on the virtual clock and the memory network. */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { bytes, content, ScriptedDevice, senmlValue } from "../testing/scripted-device.ts";
import { ServerWorld } from "../testing/server-world.ts";
import { standOn } from "../testing/world-store.ts";
import { openMemoryStore } from "./memory-store.ts";
import type { TracedDevice } from "./wake-up-trace.ts";

export interface FleetCost {
  readonly operations: number;
  readonly succeeded: number;
  /** Requests that the devices heard, blocks of one counted once. */
  readonly exchanges: number;
  /** Both ways, CoAP, without the Update. */
  readonly bytes: number;
  readonly datagrams: number;
}

const links = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</4/0>,</3303/0>,</3303/1>';
const untilAsleepMs = 94_000;
const wakeUpMs = 20_000;
const by = { actor: "bench", traceId: "0".repeat(32) };
const changed: OutgoingResponse = { code: ResponseCode.changed };
const texts: ReadonlySet<string> = new Set(["/3/0/0", "/3/0/3", "/3/0/14"]);
const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);

/** Devices of one world: the store without a disk looks at every document. */
const atOnce = 50;

/** Every device wakes once. `mostTogether`: operations in one exchange. */
export async function wakeUpFleet(trace: readonly TracedDevice[], mostTogether: number): Promise<FleetCost> {
  let total: FleetCost = { operations: 0, succeeded: 0, exchanges: 0, bytes: 0, datagrams: 0 };
  for (let from = 0; from < trace.length; from += atOnce) {
    const part = await wakeUpPart(trace.slice(from, from + atOnce), mostTogether);
    total = {
      operations: total.operations + part.operations,
      succeeded: total.succeeded + part.succeeded,
      exchanges: total.exchanges + part.exchanges,
      bytes: total.bytes + part.bytes,
      datagrams: total.datagrams + part.datagrams,
    };
  }
  return total;
}

async function wakeUpPart(trace: readonly TracedDevice[], mostTogether: number): Promise<FleetCost> {
  // Counts are the same on any store, and this one lets the clock run.
  standOn((_directory, collections) => openMemoryStore(collections));
  const world = await ServerWorld.open({ mostTogether });
  try {
    const fleet = trace.map((traced, index) => deviceOf(world, traced, index));
    await world.until(Promise.all(fleet.map((device) => device.beginRegister())), wakeUpMs);
    await world.clock.advance(untilAsleepMs);
    await world.until(Promise.all(trace.map((traced) => order(world, traced))), wakeUpMs);
    world.network.traffic.length = 0;
    for (const device of fleet) device.asked.length = 0;
    const updates = Promise.all(fleet.map((device) => device.request({ method: 2, path: device.location })));
    await world.until(updates, wakeUpMs);
    await world.clock.advance(wakeUpMs);
    return await costOf(world, trace, fleet);
  } finally {
    await world.close();
  }
}

async function order(world: ServerWorld, { endpoint, queue }: TracedDevice): Promise<void> {
  for (const request of queue) {
    const outcome = await world.server.operations.create(endpoint, request, by);
    if (!outcome.ok) throw new Error(`${request.kind} ${request.path}: ${outcome.refusal.detail}`);
  }
}

async function costOf(world: ServerWorld, trace: readonly TracedDevice[], fleet: readonly ScriptedDevice[]): Promise<FleetCost> {
  let succeeded = 0;
  for (const { endpoint } of trace) {
    const operations = await world.until(world.server.operations.list({ endpoint, limit: 100 }));
    succeeded += operations.filter(({ status }) => status === "succeeded").length;
  }
  // Update and its answer are two datagrams of each device, the same on both sides.
  const traffic = world.network.traffic.filter(({ bytes: { length } }) => length > 0);
  for (const device of fleet) await device.close();
  return {
    operations: trace.reduce((sum, { queue }) => sum + queue.length, 0),
    succeeded,
    exchanges: fleet.reduce((sum, { asked }) => sum + asked.length, 0),
    bytes: traffic.reduce((sum, datagram) => sum + datagram.bytes.length, 0) - updateBytes(traffic),
    datagrams: traffic.length - 2 * fleet.length,
  };
}

/** The first datagram of each device is its Update, the first it gets is the answer. */
function updateBytes(
  traffic: readonly {
    readonly from: { readonly address: string };
    readonly to: { readonly address: string };
    readonly bytes: Uint8Array;
  }[],
): number {
  const seen = new Set<string>();
  let sum = 0;
  for (const { from, to, bytes: datagram } of traffic) {
    const way = `${from.address}>${to.address}`;
    if (!seen.has(way)) sum += datagram.length;
    seen.add(way);
  }
  return sum;
}

function deviceOf(world: ServerWorld, traced: TracedDevice, index: number): ScriptedDevice {
  const { endpoint, lwm2mVersion, queue, refusesComposite } = traced;
  const address = { address: `10.1.${index >> 8}.${index & 255}`, port: 56_830 };
  const query = ["lt=86400", `lwm2m=${lwm2mVersion}`, ...(lwm2mVersion === "1.0" ? ["b=UQ"] : ["b=U", "Q"])];
  const device = new ScriptedDevice(world, { endpoint, address, query, links });
  const { answers } = device;
  for (const { kind, path } of queue) {
    if (kind === "read" || kind === "observe") answers.set(`GET ${path}`, path === "/3/0/7" ? voltages : senmlValue(path, reported(path)));
    if (kind === "write") answers.set(`PUT ${path}`, changed);
    if (kind === "execute") answers.set(`POST ${path}`, changed);
  }
  for (const instance of ["/1/0", "/3/0"]) answers.set(`POST ${instance}`, changed);
  answers.set("GET /3303", (request) => (request.accept === 40 ? discovered : content(listed(["/3303/0/5700", "/3303/1/5700"]))));
  if (refusesComposite) for (const line of ["FETCH /", "IPATCH /"]) answers.set(line, { code: ResponseCode.methodNotAllowed });
  else {
    answers.set("IPATCH /", changed);
    answers.set("FETCH /", readList);
  }
  return device;
}

const discovered: OutgoingResponse = { code: ResponseCode.content, contentFormat: 40, payload: bytes("</3303/0>,</3303/1>") };
const voltages = content('[{"n":"/3/0/7/0","v":3800},{"n":"/3/0/7/1","v":5000}]');

function readList({ payload }: IncomingRequest): OutgoingResponse {
  const asked = JSON.parse(text(payload)) as readonly { readonly n: string }[];
  return content(listed(asked.map(({ n }) => n)));
}

function listed(paths: readonly string[]): string {
  const records = paths.flatMap((path) =>
    path === "/3/0/7"
      ? [
          { n: `${path}/0`, v: 3_800 },
          { n: `${path}/1`, v: 5_000 },
        ]
      : [texts.has(path) ? { n: path, vs: String(reported(path)) } : { n: path, v: reported(path) }],
  );
  return JSON.stringify(records);
}

function reported(path: string): string | number {
  return texts.has(path) ? "+02:00" : 42;
}
