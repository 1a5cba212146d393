/** A process under test or a peer: its output as lines that can be awaited, its end as a promise. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { patienceMs } from "./deadline.ts";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  readonly env?: { readonly [name: string]: string };
  readonly cwd?: string;
}

export class Child {
  readonly name: string;
  readonly exited: Promise<Exit>;
  /** Every line so far, for searching and for the message of a failure. */
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #waiters = new Set<() => void>();
  #exit: Exit | undefined;

  constructor(name: string, command: string, args: readonly string[], options: ChildOptions = {}) {
    this.name = name;
    this.#process = spawn(command, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: "pipe" });
    // A peer that went away while a command was written to it is seen by its exit, not by an exception here.
    this.#process.stdin.on("error", () => undefined);
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#take(this.stdout, line));
    createInterface({ input: this.#process.stderr }).on("line", (line) => this.#take(this.stderr, line));
    this.exited = new Promise((resolve) => {
      this.#process.once("error", (error) => {
        this.stderr.push(String(error));
        this.#end({ code: null, signal: null }, resolve);
      });
      this.#process.once("close", (code, signal) => this.#end({ code, signal }, resolve));
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get hasExited(): boolean {
    return this.#exit !== undefined;
  }

  /** The first line of standard output from `from` on for which `match` gives something; throws when the time is up or the process ended. */
  async line<T>(what: string, match: (line: string) => T | undefined, timeoutMs = patienceMs, from = 0): Promise<T> {
    let next = from;
    const search = (): { found: T } | undefined => {
      for (; next < this.stdout.length; next++) {
        const found = match(this.stdout[next] ?? "");
        if (found !== undefined) return { found };
      }
      return undefined;
    };
    const result = await this.#until(search, timeoutMs);
    if (result === undefined) {
      const when = this.#exit === undefined ? `within ${timeoutMs} ms` : "before it ended";
      throw new Error(`${this.name}: no ${what} ${when}\n${this.transcript()}`);
    }
    return result.found;
  }

  /** The first line that starts with `prefix`. */
  says(prefix: string, timeoutMs = patienceMs, from = 0): Promise<string> {
    return this.line(`"${prefix}"`, (line) => (line.startsWith(prefix) ? line : undefined), timeoutMs, from);
  }

  /** The number of lines so far: where a later search starts. */
  get mark(): number {
    return this.stdout.length;
  }

  write(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  closeInput(): void {
    this.#process.stdin.end();
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#process.kill(signal);
  }

  /** Asks it to end, insists after the grace time. */
  async stop(signal: NodeJS.Signals = "SIGTERM", graceMs = 20_000): Promise<Exit> {
    this.#process.stdin.end();
    this.#process.kill(signal);
    const insist = setTimeout(() => this.#process.kill("SIGKILL"), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(insist);
    }
  }

  /** The end by itself; throws (and kills) when it does not come in time. */
  async end(timeoutMs: number): Promise<Exit> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), timeoutMs);
    });
    const exit = await Promise.race([this.exited, late]);
    clearTimeout(timer);
    if (exit === undefined) {
      this.kill();
      throw new Error(`${this.name}: still running after ${timeoutMs} ms\n${this.transcript()}`);
    }
    return exit;
  }

  transcript(): string {
    const tail = (lines: readonly string[]): string => lines.slice(-40).join("\n");
    return `--- ${this.name} standard output\n${tail(this.stdout)}\n--- ${this.name} standard error\n${tail(this.stderr)}`;
  }

  #take(lines: string[], line: string): void {
    lines.push(line);
    for (const wake of [...this.#waiters]) wake();
  }

  #end(exit: Exit, resolve: (exit: Exit) => void): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    for (const wake of [...this.#waiters]) wake();
    resolve(exit);
  }

  #until<T>(search: () => T | undefined, timeoutMs: number): Promise<T | undefined> {
    return new Promise((resolve) => {
      const finish = (result: T | undefined): void => {
        clearTimeout(timer);
        this.#waiters.delete(look);
        resolve(result);
      };
      const look = (): void => {
        const result = search();
        if (result !== undefined || this.#exit !== undefined) finish(result);
      };
      const timer = setTimeout(() => finish(undefined), timeoutMs);
      this.#waiters.add(look);
      look();
    });
  }
}
