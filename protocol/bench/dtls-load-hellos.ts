/** First ClientHellos without a cookie from many prefixes in a closed loop, as a flood of invented addresses brings them. */
import type { Socket } from "node:dgram";
import { setTimeout as sleep } from "node:timers/promises";
import { ContentType } from "../dtls/constants.ts";
import { ClientHandshake } from "../dtls/handshake/client-handshake.ts";
import { defaultHandshakeSettings } from "../dtls/handshake-contract.ts";
import { writeRecordHeader } from "../dtls/wire/record-header.ts";
import { systemRandom } from "../platform/system-random.ts";
import type { DtlsTarget } from "./dtls-load-contract.ts";
import { connected } from "./dtls-load-device.ts";
import { credentialsOf } from "./dtls-parties.ts";
import type { LoadReport } from "./load-contract.ts";

const repeatMs = 100;
const headerBytes = 13;

interface Source {
  readonly socket: Socket;
  answered: number;
  onAnswer: () => void;
}

const open = new Map<number, Promise<readonly Source[]>>();

export async function helloLoad(target: DtlsTarget, ms: number): Promise<LoadReport> {
  const { port, clients } = target;
  const opening = open.get(port) ?? Promise.all(Array.from({ length: clients }, (_, index) => openSource(port, index)));
  open.set(port, opening);
  const sources = await opening;
  const hello = helloOf(target);
  let answered = 0;
  for (const source of sources) {
    source.onAnswer = () => {
      answered += 1;
      source.socket.send(hello);
    };
  }
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  for (const { socket } of sources) socket.send(hello);
  const stuck = sources.map(() => -1);
  for (let passedMs = 0; passedMs < ms; passedMs += repeatMs) {
    await sleep(Math.min(repeatMs, ms - passedMs));
    for (const [i, source] of sources.entries()) {
      if (stuck[i] === source.answered) source.socket.send(hello);
      stuck[i] = source.answered;
    }
  }
  for (const source of sources) source.onAnswer = () => {};
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { sent: answered, answered, seconds, cpuSeconds: (user + system) / 1e6, latencyMs: null, latenessMs: null };
}

async function openSource(port: number, index: number): Promise<Source> {
  const socket = await connected(port, `127.0.${index + 1}.1`);
  const source: Source = { socket, answered: 0, onAnswer: () => {} };
  socket.on("message", () => {
    source.answered += 1;
    source.onAnswer();
  });
  return source;
}

function helloOf({ proof, folder }: DtlsTarget): Uint8Array {
  const settings = { ...defaultHandshakeSettings };
  const machine = new ClientHandshake({
    settings,
    credentials: credentialsOf(proof, folder, 0),
    random: systemRandom,
    ownConnectionId: new Uint8Array(0),
  });
  const flight = machine.start(0).find((effect) => effect.kind === "send");
  const fragment = flight?.records[0]?.fragment;
  machine.close();
  if (fragment === undefined) throw new Error("a client handshake began with something else than its hello");
  const datagram = new Uint8Array(headerBytes + fragment.length);
  datagram.set(fragment, writeRecordHeader(datagram, 0, { type: ContentType.handshake, epoch: 0, sequence: 0 }, fragment.length));
  return datagram;
}
