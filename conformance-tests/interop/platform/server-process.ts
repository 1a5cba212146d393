/** The real server as a process: started on free ports over a data directory, killed and started again. */
import { randomBytes } from "node:crypto";
import { Child } from "./child.ts";
import { eventuallySucceeds } from "./deadline.ts";
import { removeDirectory, serverMain, temporaryDirectory } from "./locations.ts";
import { field, type Json, RestClient } from "./rest-client.ts";

const doors = ["http", "coap", "bootstrap-coap"] as const;
export type Door = (typeof doors)[number];

export interface ServerSettings {
  readonly dataDirectory?: string;
  /** Ports to take instead of free ones, e.g. those of the process before it. */
  readonly ports?: { readonly [door in Door]: number };
  readonly env?: { readonly [name: string]: string };
}

export class ServerProcess {
  readonly child: Child;
  readonly dataDirectory: string;
  readonly ports: { readonly [door in Door]: number };
  readonly rest: RestClient;
  readonly apiKey: string;

  constructor(child: Child, dataDirectory: string, ports: { readonly [door in Door]: number }, apiKey: string) {
    this.child = child;
    this.dataDirectory = dataDirectory;
    this.ports = ports;
    this.apiKey = apiKey;
    this.rest = new RestClient(`http://127.0.0.1:${ports.http}`, apiKey);
  }

  get coap(): string {
    return `coap://127.0.0.1:${this.ports.coap}`;
  }

  /** Kills it as a power cut would and starts it again on the same ports and directory. */
  async crashAndRestart(): Promise<ServerProcess> {
    this.child.kill("SIGKILL");
    await this.child.exited;
    return startServer({ dataDirectory: this.dataDirectory, ports: this.ports, env: { API_KEY: this.apiKey } });
  }

  /** Ends it and removes its directory. */
  async dispose(): Promise<void> {
    await this.child.stop();
    await removeDirectory(this.dataDirectory);
  }
}

/** A server process that may fail to come up; the doors are not awaited. */
export function spawnServer(dataDirectory: string, env: { readonly [name: string]: string } = {}): Child {
  return new Child("server", process.execPath, [serverMain], {
    env: {
      HTTP_PORT: "0",
      COAP_PORT: "0",
      COAP_HOST: "127.0.0.1",
      BOOTSTRAP_COAP_PORT: "0",
      DATA_DIR: dataDirectory,
      LOG_LEVEL: "info",
      ...env,
    },
  });
}

export async function startServer(settings: ServerSettings = {}): Promise<ServerProcess> {
  const dataDirectory = settings.dataDirectory ?? (await temporaryDirectory());
  const apiKey = settings.env?.["API_KEY"] ?? randomBytes(24).toString("base64url");
  const ports = settings.ports ?? { http: 0, coap: 0, "bootstrap-coap": 0 };
  const child = spawnServer(dataDirectory, {
    HTTP_PORT: String(ports.http),
    COAP_PORT: String(ports.coap),
    BOOTSTRAP_COAP_PORT: String(ports["bootstrap-coap"]),
    ...settings.env,
    API_KEY: apiKey,
  });
  try {
    const chosen = { http: 0, coap: 0, "bootstrap-coap": 0 };
    for (const door of doors) chosen[door] = await listeningPort(child, door);
    const server = new ServerProcess(child, dataDirectory, chosen, apiKey);
    await eventuallySucceeds("GET /health/ready", 10_000, async () => {
      const { status } = await server.rest.get("/health/ready");
      if (status !== 200) throw new Error(`status ${status}`);
    });
    return server;
  } catch (error) {
    await child.stop();
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${child.transcript()}`);
  }
}

/** The log line of each door: `{ "message": "listening", "door": …, "port": … }`. */
export function listeningPort(child: Child, door: Door): Promise<number> {
  return child.line(`listening line of ${door}`, (line) => {
    const entry = parseLine(line);
    if (field(entry, "message") !== "listening" || field(entry, "door") !== door) return undefined;
    const port = field(entry, "port");
    return typeof port === "number" ? port : undefined;
  });
}

function parseLine(line: string): Json {
  if (!line.startsWith("{")) return null;
  try {
    return JSON.parse(line) as Json;
  } catch {
    return null;
  }
}
