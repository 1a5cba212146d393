/** The server as a process that can be killed: started over one directory, on the ports it had before. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { owned } from "../../testing/platform/own-children.ts";
import { stablePort } from "../../testing/platform/stable-port.ts";

export const apiKey = "a-key-for-the-crash-run";

type Door = "http" | "coap" | "coaps" | "bootstrap-coap" | "bootstrap-coaps";
type Ports = { readonly [door in Door]: number };

async function stablePorts(): Promise<Ports> {
  const udp = (): Promise<number> => stablePort("udp");
  return {
    http: await stablePort("tcp"),
    coap: await udp(),
    coaps: await udp(),
    "bootstrap-coap": await udp(),
    "bootstrap-coaps": await udp(),
  };
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

export const serverProgram = fileURLToPath(new URL("../../main.js", import.meta.url));

export class ServerProcess {
  readonly #directory: string;
  readonly #program: string;
  readonly #settings: { readonly [variable: string]: string };
  /** Its own as long as this test runs: another program must not have one while it is down. */
  #ports: Ports | undefined;
  #child: Child | undefined;
  /** What the running server says on stderr: nothing, unless it fails. */
  complaints = "";

  /** `program`: the compiled main, by default the server of this build. */
  constructor(directory: string, program: string = serverProgram, settings: { readonly [variable: string]: string } = {}) {
    this.#directory = directory;
    this.#program = program;
    this.#settings = settings;
  }

  get coapPort(): number {
    return this.#ports?.coap ?? 0;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#ports?.http ?? 0}`;
  }

  /** Resolves when every door is open; rejects with what the server said when it ends before that. */
  async start(): Promise<void> {
    this.#ports ??= await stablePorts();
    const ports = this.#ports;
    const port = (door: Door): string => String(ports[door]);
    const env = {
      PATH: process.env["PATH"] ?? "",
      DATA_DIR: this.#directory,
      API_KEY: apiKey,
      COAP_HOST: "127.0.0.1",
      ...this.#settings,
      ...{ HTTP_PORT: port("http"), COAP_PORT: port("coap"), COAPS_PORT: port("coaps") },
      ...{ BOOTSTRAP_COAP_PORT: port("bootstrap-coap"), BOOTSTRAP_COAPS_PORT: port("bootstrap-coaps") },
    };
    const child = owned(spawn(process.execPath, [this.#program], { env, stdio: ["ignore", "pipe", "pipe"] }));
    this.#child = child;
    this.complaints = "";
    const closed = new Promise((resolve) => child.once("close", resolve));
    child.stderr.on("data", (text) => {
      this.complaints += String(text);
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const { message, door }: { message?: string; door?: string } = JSON.parse(line);
      if (message !== "listening" || door !== "http") continue;
      child.stdout.resume();
      return;
    }
    // Its last words may come after the end of its output.
    await closed;
    throw new Error(`the server did not start: ${this.complaints.trim()}`);
  }

  /** kill -9 */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Ctrl-C */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}
