/**
 * CON GET answered with 64 B, deduplication on: CPU time of the server process per request, ours against npm `coap` and libcoap's
 * example server (which stores no answers for duplicates), in turns within one run. Sixty-four clients in a closed loop, one request
 * each: npm `coap` loses datagrams with more.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openUdpSocket } from "../platform/udp-socket.ts";
import { type BenchOptions, type Figure, rounded } from "./figure.ts";
import { cpuMicrosecondsOf, isLibcoapInstalled, startLibcoap } from "./libcoap-server.ts";

const loopback = "127.0.0.1";
const clients = 64;
const rounds = 3;
const warmUpShare = 0.25;
const answerBytes = 64;
/** A request whose answer was lost is repeated after this long, milliseconds. */
const repeatMs = 100;

interface Round {
  readonly cpuUs: number;
  readonly requests: number;
  readonly seconds: number;
}

type Peer = "npm-coap" | "libcoap";

export async function bench(options: BenchOptions): Promise<Figure[]> {
  const peers: Peer[] = isLibcoapInstalled("coap-get") ? ["npm-coap", "libcoap"] : ["npm-coap"];
  const kinds = ["ours", ...peers] as const;
  const roundMs = (options.seconds * 1_000) / (kinds.length * (rounds + warmUpShare));
  const servers: ServerUnderLoad[] = [];
  try {
    for (const kind of kinds) servers.push(kind === "libcoap" ? await startTheirs() : await startServer(kind));
    for (const server of servers) await load(server, roundMs * warmUpShare);
    const results = servers.map((): Round[] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, server] of servers.entries()) results[i]?.push(await load(server, roundMs));
    }
    const [ours = [], ...theirs] = results;
    return peers.flatMap((peer, i) => figuresOf(ours, theirs[i] ?? [], peer));
  } finally {
    for (const server of servers) server.process.kill();
  }
}

function figuresOf(ours: readonly Round[], theirs: readonly Round[], against: Peer): Figure[] {
  const cpu = (round: Round): number => round.cpuUs / round.requests;
  const rate = (round: Round): number => round.requests / round.seconds;
  const cpuUs = medianOf(ours.map(cpu));
  const perSecond = medianOf(ours.map(rate));
  return [
    {
      bench: "coap-get",
      figure: "server CPU per request",
      value: rounded(cpuUs),
      unit: "us",
      against,
      ratio: rounded(medianOf(theirs.map(cpu)) / cpuUs),
    },
    {
      bench: "coap-get",
      figure: "requests",
      value: rounded(perSecond),
      unit: "1/s",
      against,
      ratio: rounded(perSecond / medianOf(theirs.map(rate))),
    },
  ];
}

interface ServerUnderLoad {
  readonly process: ChildProcess;
  readonly port: number;
  cpuUs(): Promise<number>;
}

async function startServer(kind: "ours" | "npm-coap"): Promise<ServerUnderLoad> {
  const port = await freePort();
  const child = fork(fileURLToPath(new URL("./coap-get-server.js", import.meta.url)), [kind, String(port)]);
  await once(child, "message");
  return { process: child, port, cpuUs: () => cpuOf(child) };
}

async function startTheirs(): Promise<ServerUnderLoad> {
  const port = await freePort();
  const child = await startLibcoap(port, new Uint8Array(answerBytes).fill(0x61));
  return { process: child, port, cpuUs: () => cpuMicrosecondsOf(child) };
}

async function freePort(): Promise<number> {
  const probe = await openUdpSocket({ address: loopback, port: 0 });
  await probe.close();
  return probe.local.port;
}

async function load(server: ServerUnderLoad, ms: number): Promise<Round> {
  const loops = await Promise.all(Array.from({ length: clients }, () => openLoop(server.port)));
  const cpuBefore = await server.cpuUs();
  const startedAt = process.hrtime.bigint();
  for (const loop of loops) loop.start();
  for (let passedMs = 0; passedMs < ms; passedMs += repeatMs) {
    await sleep(Math.min(repeatMs, ms - passedMs));
    for (const loop of loops) loop.repeatIfStuck();
  }
  const requests = loops.reduce((sum, loop) => sum + loop.stop(), 0);
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  const cpuUs = (await server.cpuUs()) - cpuBefore;
  if (requests === 0) throw new Error(`the server on port ${server.port} answered nothing`);
  return { cpuUs, requests, seconds };
}

async function cpuOf(child: ChildProcess): Promise<number> {
  const answered = once(child, "message");
  child.send({});
  const [message]: { cpuUs: number }[] = await answered;
  if (message === undefined) throw new Error("the server told no CPU time");
  return message.cpuUs;
}

interface ClientLoop {
  start(): void;
  repeatIfStuck(): void;
  /** Answers received. */
  stop(): number;
}

/** CON GET /e with an 8-byte token; message id and token change with every request. */
async function openLoop(port: number): Promise<ClientLoop> {
  const socket: Socket = createSocket("udp4");
  await new Promise<void>((resolve) => {
    socket.connect(port, loopback, resolve);
  });
  const request = Buffer.from("480100000000000000000000b165", "hex");
  request.writeUInt32BE(port, 4);
  let messageId = socket.address().port;
  let answers = 0;
  let answersAtCheck = -1;
  const send = (): void => {
    messageId = (messageId + 1) & 0xffff;
    request.writeUInt16BE(messageId, 2);
    request.writeUInt32BE(answers, 8);
    socket.send(request);
  };
  socket.on("message", (bytes) => {
    if (bytes.readUInt16BE(2) !== messageId) return;
    answers++;
    send();
  });
  return {
    start: send,
    repeatIfStuck: () => {
      if (answers === answersAtCheck) socket.send(request);
      answersAtCheck = answers;
    },
    stop: () => {
      socket.close();
      return answers;
    },
  };
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
