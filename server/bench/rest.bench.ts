/**
 * GET of a stored value: CPU time of the server process per request, ours (key, route, query check, store, names) against a bare
 * express handler that answers the same JSON from memory, in turns within one run. Keep-alive connections in a closed loop.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BenchOptions, type Figure, rounded } from "@lwm2m/protocol/bench/figure";

const connections = 16;
const rounds = 3;
const warmUpShare = 0.5;

interface Round {
  readonly cpuUs: number;
  readonly requests: number;
  readonly seconds: number;
}

interface ServerUnderLoad {
  readonly process: ChildProcess;
  readonly port: number;
}

export async function bench(options: BenchOptions): Promise<Figure[]> {
  const roundMs = (options.seconds * 1_000) / (2 * (rounds + warmUpShare));
  const directory = await mkdtemp(join(tmpdir(), "rest-bench-"));
  const servers: ServerUnderLoad[] = [];
  try {
    const ours = await startServer(["ours", directory]);
    servers.push(ours);
    const bare = await startServer(["bare-express", await bodyOf(ours)]);
    servers.push(bare);
    const results: { readonly ours: Round[]; readonly bare: Round[] } = { ours: [], bare: [] };
    for (const server of servers) await load(server, roundMs * warmUpShare);
    for (let round = 0; round < rounds; round++) {
      results.ours.push(await load(ours, roundMs));
      results.bare.push(await load(bare, roundMs));
    }
    return figuresOf(results.ours, results.bare);
  } finally {
    await Promise.all(servers.map(stopServer));
    await rm(directory, { recursive: true });
  }
}

function figuresOf(ours: readonly Round[], bare: readonly Round[]): Figure[] {
  const cpu = (round: Round): number => round.cpuUs / round.requests;
  const rate = (round: Round): number => round.requests / round.seconds;
  const cpuUs = medianOf(ours.map(cpu));
  const perSecond = medianOf(ours.map(rate));
  const shared = { bench: "rest", against: "bare-express" } as const;
  return [
    {
      ...shared,
      figure: "GET of a stored value, server CPU per request",
      value: rounded(cpuUs),
      unit: "us",
      ratio: rounded(medianOf(bare.map(cpu)) / cpuUs),
    },
    {
      ...shared,
      figure: "GET of a stored value",
      value: rounded(perSecond),
      unit: "1/s",
      ratio: rounded(perSecond / medianOf(bare.map(rate))),
    },
  ];
}

async function startServer(kind: readonly string[]): Promise<ServerUnderLoad> {
  const child = fork(fileURLToPath(new URL("./rest-server.js", import.meta.url)), [...kind], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [message]: { port?: number }[] = await Promise.race([once(child, "message"), once(child, "exit").then(() => [{}])]);
  if (message?.port === undefined) throw new Error(`the ${kind[0]} server did not start`);
  return { process: child, port: message.port };
}

async function stopServer({ process: child }: ServerUnderLoad): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = once(child, "exit");
  child.disconnect();
  await exit;
}

async function load(server: ServerUnderLoad, ms: number): Promise<Round> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const cpuBefore = await cpuOf(server);
  const startedAt = performance.now();
  let requests = 0;
  const loop = async (): Promise<void> => {
    for (; performance.now() - startedAt < ms; requests++) await get(server.port, agent);
  };
  await Promise.all(Array.from({ length: connections }, loop));
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpuUs = (await cpuOf(server)) - cpuBefore;
  agent.destroy();
  return { cpuUs, requests, seconds };
}

async function bodyOf(server: ServerUnderLoad): Promise<string> {
  return get(server.port, new Agent());
}

/** Rejects unless the answer is 200. */
function get(port: number, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const path = "/api/v1/devices/bench/resources/3303/0/5700";
    const asked = request({ port, path, agent, headers: { authorization: "Bearer a-key-for-the-bench" } }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString());
        else reject(new Error(`the server on port ${port} answered ${response.statusCode}`));
      });
    });
    asked.on("error", reject).end();
  });
}

async function cpuOf({ process: child, port }: ServerUnderLoad): Promise<number> {
  const answered = once(child, "message");
  child.send({});
  const [message]: { cpuUs?: number }[] = await answered;
  if (message?.cpuUs === undefined) throw new Error(`the server on port ${port} told no CPU time`);
  return message.cpuUs;
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
