/**
 * CON GET answered with 64 B, deduplication on: CPU time of the server process per request, ours against npm `coap`, in turns
 * within one run. Sixty-four clients in a closed loop, one request each: npm `coap` loses datagrams with more.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openUdpSocket } from "../platform/udp-socket.ts";
import { type BenchOptions, type Figure, rounded } from "./figure.ts";

const loopback = "127.0.0.1";
const clients = 64;
const rounds = 3;
const warmUpShare = 0.25;
/** A request whose answer was lost is repeated after this long, milliseconds. */
const repeatMs = 100;

interface Round {
  readonly cpuUs: number;
  readonly requests: number;
  readonly seconds: number;
}

export async function bench(options: BenchOptions): Promise<Figure[]> {
  const roundMs = (options.seconds * 1_000) / (2 * (rounds + warmUpShare));
  const servers = [await startServer("ours"), await startServer("npm-coap")] as const;
  try {
    const results: [Round[], Round[]] = [[], []];
    for (const server of servers) await load(server, roundMs * warmUpShare);
    for (let round = 0; round < rounds; round++) {
      results[0].push(await load(servers[0], roundMs));
      results[1].push(await load(servers[1], roundMs));
    }
    return figuresOf(results[0], results[1]);
  } finally {
    for (const server of servers) server.process.kill();
  }
}

function figuresOf(ours: readonly Round[], theirs: readonly Round[]): Figure[] {
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
      against: "npm-coap",
      ratio: rounded(medianOf(theirs.map(cpu)) / cpuUs),
    },
    {
      bench: "coap-get",
      figure: "requests",
      value: rounded(perSecond),
      unit: "1/s",
      against: "npm-coap",
      ratio: rounded(perSecond / medianOf(theirs.map(rate))),
    },
  ];
}

interface ServerUnderLoad {
  readonly process: ChildProcess;
  readonly port: number;
}

async function startServer(kind: "ours" | "npm-coap"): Promise<ServerUnderLoad> {
  const probe = await openUdpSocket({ address: loopback, port: 0 });
  const { port } = probe.local;
  await probe.close();
  const child = fork(fileURLToPath(new URL("./coap-get-server.js", import.meta.url)), [kind, String(port)]);
  await once(child, "message");
  return { process: child, port };
}

async function load(server: ServerUnderLoad, ms: number): Promise<Round> {
  const loops = await Promise.all(Array.from({ length: clients }, () => openLoop(server.port)));
  const cpuBefore = await cpuOf(server);
  const startedAt = process.hrtime.bigint();
  for (const loop of loops) loop.start();
  for (let passedMs = 0; passedMs < ms; passedMs += repeatMs) {
    await sleep(Math.min(repeatMs, ms - passedMs));
    for (const loop of loops) loop.repeatIfStuck();
  }
  const requests = loops.reduce((sum, loop) => sum + loop.stop(), 0);
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  const cpuUs = (await cpuOf(server)) - cpuBefore;
  if (requests === 0) throw new Error(`the server on port ${server.port} answered nothing`);
  return { cpuUs, requests, seconds };
}

async function cpuOf(server: ServerUnderLoad): Promise<number> {
  const answered = once(server.process, "message");
  server.process.send({});
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
