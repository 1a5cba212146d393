/**
 * CoAP servers under load, in turns within one run: CPU time of the server process per request, ours against another. Each server is a
 * process of its own on one core. Sixty-four clients in a closed loop, one request each: npm `coap` loses datagrams with more.
 */
import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openUdpSocket } from "../platform/udp-socket.ts";
import { type Figure, rounded } from "./figure.ts";

const loopback = "127.0.0.1";
const clients = 64;
const rounds = 3;
const warmUpShare = 0.25;
/** A request whose answer was lost is repeated after this long, milliseconds. */
const repeatMs = 100;

export interface Contest {
  readonly bench: string;
  readonly ours: ServerUnderLoad;
  readonly theirs: readonly (readonly ["npm-coap" | "libcoap", ServerUnderLoad])[];
  /** Confirmable, with a token of 8 bytes; message id and token change with every request. */
  readonly request: Uint8Array;
  /** The code byte of an answer that counts. */
  readonly code: number;
  readonly seconds: number;
}

export interface ServerUnderLoad {
  readonly process: ChildProcess;
  readonly port: number;
  cpuUs(): Promise<number>;
}

interface Round {
  readonly cpuUs: number;
  readonly requests: number;
  readonly seconds: number;
}

/** Ends the servers. */
export async function compareServers(contest: Contest): Promise<Figure[]> {
  const servers = [contest.ours, ...contest.theirs.map(([, server]) => server)];
  const roundMs = (contest.seconds * 1_000) / (servers.length * (rounds + warmUpShare));
  try {
    for (const server of servers) pin(server.process);
    for (const server of servers) await load(server, contest, roundMs * warmUpShare);
    const results = servers.map((): Round[] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, server] of servers.entries()) results[i]?.push(await load(server, contest, roundMs));
    }
    const [ours = [], ...theirs] = results;
    return contest.theirs.flatMap(([against], i) => figuresOf(contest.bench, ours, theirs[i] ?? [], against));
  } finally {
    for (const server of servers) server.process.kill();
  }
}

/** `file`: a module that takes a kind and a port, says when it is ready and tells its CPU time when asked. */
export async function startServer(file: URL, kind: "ours" | "npm-coap"): Promise<ServerUnderLoad> {
  const port = await freePort();
  const child = fork(fileURLToPath(file), [kind, String(port)]);
  await once(child, "message");
  return { process: child, port, cpuUs: () => cpuOf(child) };
}

export async function freePort(): Promise<number> {
  const probe = await openUdpSocket({ address: loopback, port: 0 });
  await probe.close();
  return probe.local.port;
}

function figuresOf(bench: string, ours: readonly Round[], theirs: readonly Round[], against: Figure["against"]): Figure[] {
  const cpu = (round: Round): number => round.cpuUs / round.requests;
  const rate = (round: Round): number => round.requests / round.seconds;
  const cpuUs = medianOf(ours.map(cpu));
  const perSecond = medianOf(ours.map(rate));
  return [
    {
      bench,
      figure: "server CPU per request",
      value: rounded(cpuUs),
      unit: "us",
      against,
      ratio: rounded(medianOf(theirs.map(cpu)) / cpuUs),
    },
    {
      bench,
      figure: "requests",
      value: rounded(perSecond),
      unit: "1/s",
      against,
      ratio: rounded(perSecond / medianOf(theirs.map(rate))),
    },
  ];
}

/** To the last core, where there are several and the tool is there; the load runs on what is left. */
function pin(child: ChildProcess): void {
  const cores = availableParallelism();
  if (cores > 1) spawnSync("taskset", ["-acp", String(cores - 1), String(child.pid)], { stdio: "ignore" });
}

async function load(server: ServerUnderLoad, contest: Contest, ms: number): Promise<Round> {
  const loops = await Promise.all(Array.from({ length: clients }, () => openLoop(server.port, contest)));
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

async function openLoop(port: number, contest: Contest): Promise<ClientLoop> {
  const socket: Socket = createSocket("udp4");
  await new Promise<void>((resolve) => {
    socket.connect(port, loopback, resolve);
  });
  const request = Buffer.from(contest.request);
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
    if (bytes[1] !== contest.code) throw new Error(`the server on port ${port} answered ${bytes[1]}`);
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
