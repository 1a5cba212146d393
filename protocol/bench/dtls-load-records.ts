/** Protected records in a closed loop: what a server can do at most. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DtlsTarget, RecordContent } from "./dtls-load-contract.ts";
import { devicesOf, type LoadDevice } from "./dtls-load-device.ts";
import type { LoadReport } from "./load-contract.ts";

/** More than any server here answers, so that no client has to seal in the middle of a round; and what it does when it must. */
const mostPerSecond = 60_000;
const moreRecords = 256;
/** A record whose answer was lost is followed by the next after this long, milliseconds. */
const repeatMs = 100;
/** Each so many answers of a client are opened and compared. */
const openedShare = 64;
const messageIdAt = 2;
const tokenAt = 4;
const tokenNumberAt = 8;
const waitMs = 200;

interface Lane {
  readonly device: LoadDevice;
  readonly content: (next: boolean) => Uint8Array;
  records: Uint8Array[];
  next: number;
  answered: number;
  opened: number;
}

const lanesOf = new Map<readonly LoadDevice[], Lane[]>();

export async function recordLoad(target: DtlsTarget, content: RecordContent, ms: number): Promise<LoadReport> {
  const devices = await devicesOf(target);
  const lanes = lanesOf.get(devices) ?? devices.map((device) => laneOf(device, content));
  lanesOf.set(devices, lanes);
  const wanted = Math.ceil((mostPerSecond * ms) / 1_000 / lanes.length);
  for (const lane of lanes) prepare(lane, wanted);
  const before = sum(lanes, ({ answered }) => answered);
  const openedBefore = sum(lanes, ({ opened }) => opened);
  const cpu = process.cpuUsage();
  const startedAt = process.hrtime.bigint();
  let running = true;
  for (const lane of lanes) {
    lane.device.intercept = () => {
      lane.answered += 1;
      if (running) sendNext(lane);
      return lane.answered % openedShare === 0;
    };
    sendNext(lane);
  }
  const stuck = lanes.map(() => -1);
  for (let passedMs = 0; passedMs < ms; passedMs += repeatMs) {
    await sleep(Math.min(repeatMs, ms - passedMs));
    for (const [i, lane] of lanes.entries()) {
      if (stuck[i] === lane.next) sendNext(lane);
      stuck[i] = lane.next;
    }
  }
  running = false;
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  const answered = sum(lanes, (lane) => lane.answered) - before;
  const { user, system } = process.cpuUsage(cpu);
  await sleep(waitMs);
  if (answered > openedShare * lanes.length * 2 && sum(lanes, ({ opened }) => opened) === openedBefore) {
    throw new Error(`the server on port ${target.port} did not answer what was asked`);
  }
  return { sent: answered, answered, seconds, cpuSeconds: (user + system) / 1e6, latencyMs: null, latenessMs: null };
}

function laneOf(device: LoadDevice, content: RecordContent): Lane {
  const lane: Lane = { device, content: contentOf(device, content), records: [], next: 0, answered: 0, opened: 0 };
  device.endpoint.plaintext.onDatagram((bytes) => {
    const isRight = content.kind === "coap" ? bytes[1] === content.code : Buffer.compare(bytes, lane.content(false)) === 0;
    if (!isRight) throw new Error(`a server answered ${Buffer.from(bytes).toString("hex")}`);
    lane.opened += 1;
  });
  return lane;
}

function contentOf(device: LoadDevice, content: RecordContent): (next: boolean) => Uint8Array {
  if (content.kind === "echo") {
    const bytes = Buffer.alloc(content.bytes, 0x61);
    return () => bytes;
  }
  const request = Buffer.from(content.request, "hex");
  let number = device.port;
  request.writeUInt32BE(device.port, tokenAt);
  return (next) => {
    if (!next) return request;
    number = (number + 1) >>> 0;
    request.writeUInt16BE(number & 0xffff, messageIdAt);
    request.writeUInt32BE(number, tokenNumberAt);
    return request;
  };
}

function prepare(lane: Lane, wanted: number): void {
  lane.records = lane.records.slice(lane.next);
  lane.next = 0;
  while (lane.records.length < wanted) lane.records.push(lane.device.seal(lane.content(true)));
}

function sendNext(lane: Lane): void {
  if (lane.next === lane.records.length) prepare(lane, moreRecords);
  const record = lane.records[lane.next++];
  if (record !== undefined) lane.device.send(record);
}

function sum(lanes: readonly Lane[], value: (lane: Lane) => number): number {
  return lanes.reduce((total, lane) => total + value(lane), 0);
}
