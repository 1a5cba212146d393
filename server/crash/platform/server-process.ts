/** The server as a process that can be killed: started over one directory, on the ports it had before. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

export const apiKey = "a-key-for-the-crash-run";

type Child = ChildProcessByStdio<null, Readable, Readable>;

export const serverProgram = fileURLToPath(new URL("../../main.js", import.meta.url));

export class ServerProcess {
  readonly #directory: string;
  readonly #program: string;
  readonly #settings: { readonly [variable: string]: string };
  #ports: { readonly [door: string]: number } = {};
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
    return this.#ports["coap"] ?? 0;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#ports["http"] ?? 0}`;
  }

  /** Resolves when every door is open; rejects with what the server said when it ends before that. */
  async start(): Promise<void> {
    const port = (door: string): string => String(this.#ports[door] ?? 0);
    const env = {
      PATH: process.env["PATH"] ?? "",
      DATA_DIR: this.#directory,
      API_KEY: apiKey,
      COAP_HOST: "127.0.0.1",
      ...this.#settings,
      ...{ HTTP_PORT: port("http"), COAP_PORT: port("coap"), COAPS_PORT: port("coaps") },
      ...{ BOOTSTRAP_COAP_PORT: port("bootstrap-coap"), BOOTSTRAP_COAPS_PORT: port("bootstrap-coaps") },
    };
    const child = spawn(process.execPath, [this.#program], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.complaints = "";
    child.stderr.on("data", (text) => {
      this.complaints += String(text);
    });
    const ports: { [door: string]: number } = {};
    for await (const line of createInterface({ input: child.stdout })) {
      const { message, door, port: opened }: { message?: string; door?: string; port?: number } = JSON.parse(line);
      if (message !== "listening" || door === undefined || opened === undefined) continue;
      ports[door] = opened;
      if (door !== "http") continue;
      this.#ports = ports;
      child.stdout.resume();
      return;
    }
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
