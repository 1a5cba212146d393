/** The real server as a process: started on free ports over a data directory, killed and started again. */
import { randomBytes } from "node:crypto";
import { stablePort } from "@lwm2m/server/testing/platform/stable-port";
import { Child } from "./child.ts";
import { eventuallySucceeds } from "./deadline.ts";
import { removeDirectory, serverMain, temporaryDirectory } from "./locations.ts";
import { field, type Json, RestClient } from "./rest-client.ts";

const doors = ["http", "coap", "coaps", "bootstrap-coap", "bootstrap-coaps"] as const;
export type Door = (typeof doors)[number];
/** A start takes a second or two, and a machine that runs the tests may be busy. */
const startMs = 60_000;
export type DoorPorts = { readonly [door in Door]: number };

const anyPorts: DoorPorts = { http: 0, coap: 0, coaps: 0, "bootstrap-coap": 0, "bootstrap-coaps": 0 };

export interface ServerSettings {
  readonly dataDirectory?: string;
  /** Ports to take instead of free ones, e.g. those of the process before it. */
  readonly ports?: DoorPorts;
  readonly env?: Environment;
}

type Environment = { readonly [name: string]: string };

export class ServerProcess {
  readonly child: Child;
  readonly dataDirectory: string;
  readonly ports: DoorPorts;
  readonly rest: RestClient;
  readonly apiKey: string;
  /** Before the process began. */
  readonly startedAtMs: number;
  readonly #env: Environment;

  constructor(child: Child, dataDirectory: string, ports: DoorPorts, env: Environment & { readonly API_KEY: string }, startedAtMs: number) {
    this.child = child;
    this.dataDirectory = dataDirectory;
    this.ports = ports;
    this.apiKey = env.API_KEY;
    this.startedAtMs = startedAtMs;
    this.#env = env;
    this.rest = new RestClient(`http://127.0.0.1:${ports.http}`, env.API_KEY);
  }

  get coap(): string {
    return `coap://127.0.0.1:${this.ports.coap}`;
  }

  get coaps(): string {
    return `coaps://127.0.0.1:${this.ports.coaps}`;
  }

  get bootstrapCoaps(): string {
    return `coaps://127.0.0.1:${this.ports["bootstrap-coaps"]}`;
  }

  /** Kills it as a power cut would and starts it again on the same ports and directory, with the same settings. */
  async crashAndRestart(): Promise<ServerProcess> {
    this.child.kill("SIGKILL");
    await this.child.exited;
    return startServer({ dataDirectory: this.dataDirectory, ports: this.ports, env: this.#env });
  }

  /** Ends it and removes its directory. */
  async dispose(): Promise<void> {
    await this.child.stop();
    await removeDirectory(this.dataDirectory);
  }
}

/** A server process that may fail to come up; the doors are not awaited. */
export function spawnServer(dataDirectory: string, env: Environment = {}): Child {
  return new Child("server", process.execPath, [serverMain], {
    env: {
      ...portSettings(anyPorts),
      COAP_HOST: "127.0.0.1",
      DATA_DIR: dataDirectory,
      LOG_LEVEL: "info",
      ...env,
    },
  });
}

export async function startServer(settings: ServerSettings = {}): Promise<ServerProcess> {
  const dataDirectory = settings.dataDirectory ?? (await temporaryDirectory());
  const apiKey = settings.env?.["API_KEY"] ?? randomBytes(24).toString("base64url");
  const env = { ...settings.env, API_KEY: apiKey };
  const startedAtMs = Date.now();
  const child = spawnServer(dataDirectory, { ...portSettings(settings.ports ?? anyPorts), ...env });
  try {
    const chosen = { ...anyPorts };
    for (const door of doors) chosen[door] = await listeningPort(child, door);
    const server = new ServerProcess(child, dataDirectory, chosen, env, startedAtMs);
    await eventuallySucceeds("GET /health/ready", startMs, async () => {
      const { status } = await server.rest.get("/health/ready");
      if (status !== 200) throw new Error(`status ${status}`);
    });
    return server;
  } catch (error) {
    await child.stop();
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${child.transcript()}`);
  }
}

/** Ports for a server that is to find the same ones again. */
export async function stablePorts(): Promise<DoorPorts> {
  const ports = { ...anyPorts };
  for (const door of doors) ports[door] = await stablePort(door === "http" ? "tcp" : "udp");
  return ports;
}

function portSettings(ports: DoorPorts): Environment {
  return Object.fromEntries(doors.map((door) => [`${door.toUpperCase().replace("-", "_")}_PORT`, String(ports[door])]));
}

/** The log line of each door: `{ "message": "listening", "door": …, "port": … }`. */
export function listeningPort(child: Child, door: Door): Promise<number> {
  return child.line(
    `listening line of ${door}`,
    (line) => {
      const entry = parseLine(line);
      if (field(entry, "message") !== "listening" || field(entry, "door") !== door) return undefined;
      const port = field(entry, "port");
      return typeof port === "number" ? port : undefined;
    },
    startMs,
  );
}

function parseLine(line: string): Json {
  if (!line.startsWith("{")) return null;
  try {
    return JSON.parse(line) as Json;
  } catch {
    return null;
  }
}
