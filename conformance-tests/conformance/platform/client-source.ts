/** Where the client under test comes from: pointed at the runner by hand, or a command that is started for each case and stopped after it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { RegisteredClient } from "../case.ts";
import { readLinks } from "../wire-payload.ts";
import type { Note } from "./wire-peer.ts";
import type { WireServer } from "./wire-server.ts";

export interface ClientCommand {
  /** For the shell. */
  readonly line: string;
  /** How it is asked to end: SIGINT, or the end of its standard input. */
  readonly stop: "sigint" | "stdin";
}

/** A client needs a moment to act on its 2.01: some lose a trigger that comes before. */
const settleMs = 300;
const complaintLength = 2_000;
/** Some are Java machines on a busy machine. No part of a case's own time. */
export const registerWithinMs = 60_000;
const stopWithinMs = 20_000;
const signalledWithinMs = 5_000;

export class ClientSource {
  readonly server: WireServer;
  readonly #command: ClientCommand | undefined;
  #process: ChildProcess | undefined;
  /** The last that the command said on standard error: why it ended, where it did. */
  #complaint = "";

  constructor(server: WireServer, command: ClientCommand | undefined) {
    this.server = server;
    this.#command = command;
  }

  beginCase(note: Note): void {
    this.server.beginCase(note);
    if (this.#command === undefined) return;
    this.server.forget();
    // In a group of its own, so that a signal reaches what the shell started.
    const child = spawn(this.#command.line, { shell: true, detached: true, stdio: ["pipe", "ignore", "pipe"] });
    child.stdin.on("error", () => undefined);
    this.#complaint = "";
    child.stderr.on("data", (chunk: Buffer) => {
      this.#complaint = `${this.#complaint}${chunk}`.slice(-complaintLength);
    });
    this.#process = child;
  }

  async endCase(): Promise<void> {
    await this.end();
    this.server.beginCase(() => undefined);
  }

  async client(): Promise<RegisteredClient> {
    const registration = await Promise.race([this.server.registration(registerWithinMs), this.#ended()]);
    if (registration === undefined) throw new Error(`no client registered within ${registerWithinMs / 1_000} s ${this.#complaint}`.trim());
    await pause(settleMs);
    const account = [...readLinks(registration.message.payload).keys()].find((path) => /^\/1\/\d+$/.test(path));
    return { peer: registration.peer, account: account ?? "/1/0" };
  }

  /** Rejects when the command ends before its client registered; never resolves. */
  #ended(): Promise<never> {
    return new Promise((_, reject) => {
      const child = this.#process;
      const tell = (): void =>
        reject(new Error(`the command ended with ${child?.exitCode ?? child?.signalCode}: ${this.#complaint.trim()}`));
      if (child !== undefined && (child.exitCode !== null || child.signalCode !== null)) tell();
      else child?.once("close", tell);
    });
  }

  /** Undefined when it is not the runner's to stop. */
  end(): Promise<void> | undefined {
    const child = this.#process;
    if (child === undefined || this.#command === undefined) return undefined;
    this.#process = undefined;
    return stopped(child, this.#command.stop);
  }
}

async function stopped(child: ChildProcess, stop: ClientCommand["stop"]): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  if (stop === "stdin") child.stdin?.end();
  else signal(child, "SIGINT");
  const insist = setTimeout(() => signal(child, "SIGKILL"), stopWithinMs);
  await gone;
  clearTimeout(insist);
  // The shell may end before what it started.
  for (let left = signalledWithinMs; left > 0 && signal(child, 0); left -= 50) await pause(50);
  signal(child, "SIGKILL");
}

/** False when nobody of the group is left. */
function signal({ pid }: ChildProcess, name: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, name);
  } catch {
    return false;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
