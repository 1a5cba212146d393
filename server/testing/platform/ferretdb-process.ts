/** FerretDB, a MongoDB-wire server on SQLite, as a process: started on a free port over a directory, killed and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { owned } from "./own-children.ts";
import { stablePort } from "./stable-port.ts";

const program = fileURLToPath(new URL("../../../../.peers/ferretdb/ferretdb", import.meta.url));

/** It reads every document as text for most filters, and would collect garbage most of the time. */
const garbagePercent = "1000";

/** A file system without a disk, on Linux. */
const memory = "/dev/shm";

export class FerretProcess {
  readonly port: number;
  readonly directory: string;
  #child: ChildProcess | undefined;

  private constructor(port: number, directory: string) {
    this.port = port;
    this.directory = directory;
  }

  static isInstalled(): boolean {
    return existsSync(program);
  }

  /** `inMemory`: for suites that make a database per test and do not pull the plug; each would cost a hundred flushes of the disk. */
  static async open(settings: { readonly inMemory?: boolean } = {}): Promise<FerretProcess> {
    const root = settings.inMemory === true && existsSync(memory) ? memory : tmpdir();
    const ferret = new FerretProcess(await stablePort("tcp"), await mkdtemp(join(root, "ferretdb-")));
    await ferret.start();
    return ferret;
  }

  /** A database of its own for each name. */
  url(database: string): string {
    return `mongodb://127.0.0.1:${this.port}/${database}`;
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const place = [`127.0.0.1:${this.port}`, `file:${this.directory}/`];
    const child = owned(spawn(program, place, { env: { ...process.env, GOGC: garbagePercent }, stdio: ["ignore", "pipe", "ignore"] }));
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      child.stdout.on("data", (text) => {
        if (String(text).includes("READY")) resolve();
      });
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`FerretDB ended with code ${code} before it listened`)));
    });
  }

  /** kill -9 */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
  }

  /** Halted: connections stay, nothing is answered. */
  halt(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }
}
