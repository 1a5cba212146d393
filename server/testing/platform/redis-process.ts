/** Redis as a process: on a free port over a directory of its own, killed and started again. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { owned } from "./own-children.ts";
import { stablePort } from "./stable-port.ts";

/** What keeps the jobs of a killed Redis. */
export const keepingJobs = ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"] as const;

export class RedisProcess {
  readonly port: number;
  readonly #directory: string;
  #child: ChildProcess | undefined;

  private constructor(port: number, directory: string) {
    this.port = port;
    this.#directory = directory;
  }

  static isInstalled(): boolean {
    return spawnSync("redis-server", ["--version"]).status === 0;
  }

  /** Not started yet. */
  static async prepare(): Promise<RedisProcess> {
    return new RedisProcess(await stablePort("tcp"), await mkdtemp(join(tmpdir(), "redis-")));
  }

  static async open(options: readonly string[] = keepingJobs): Promise<RedisProcess> {
    const redis = await RedisProcess.prepare();
    await redis.start(options);
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Resolves when it answers. */
  async start(options: readonly string[] = keepingJobs): Promise<void> {
    const place = ["--bind", "127.0.0.1", "--port", String(this.port), "--dir", this.#directory, "--save", ""];
    const child = owned(spawn("redis-server", [...place, ...options], { stdio: ["ignore", "pipe", "ignore"] }));
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      let said = "";
      child.stdout.on("data", (text) => {
        said += String(text);
        if (said.includes("Ready to accept connections")) resolve();
      });
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`Redis ended with code ${code} before it listened: ${said}`)));
    });
  }

  /** One command of words without spaces; its answer as Redis wrote it. */
  async command(...words: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, "127.0.0.1", () => socket.write(`${words.join(" ")}\r\n`));
      socket.once("data", (bytes) => {
        socket.destroy();
        resolve(String(bytes));
      });
      socket.once("error", reject);
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
    await rm(this.#directory, { recursive: true, force: true });
  }
}
