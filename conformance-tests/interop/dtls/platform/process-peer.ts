/** A peer that is a program: lines on its standard input are what it says, lines of its output what it heard. */
import { Child, type ChildOptions } from "../../platform/child.ts";
import type { PeerClient, PeerServer } from "./peer.ts";

/** A Java machine alone takes seconds on a busy machine; nothing waits longer than it has to. */
const runMs = 30_000;

export interface ClientProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly options?: ChildOptions;
  /** Each written once the one before was answered, unless `closesInput`. */
  readonly lines: readonly string[];
  /** It reads its whole input before it begins. */
  readonly closesInput?: boolean;
  readonly saysFirstOnly?: boolean;
  /** What it puts around a line of its own. */
  readonly wrapped?: (line: string) => string;
}

/** What it received is any line of its output that holds the text. */
export class ProgramClient implements PeerClient {
  readonly child: Child;
  readonly saysFirstOnly: boolean;
  readonly #wrapped: (line: string) => string;
  readonly #later: string[] = [];

  constructor(name: string, program: ClientProgram) {
    this.saysFirstOnly = program.saysFirstOnly ?? false;
    this.#wrapped = program.wrapped ?? ((line) => line);
    this.child = new Child(name, program.command, program.args, program.options);
    const [first, ...later] = program.lines;
    if (first !== undefined) this.child.write(first);
    if (!program.closesInput) {
      // Two lines at once would be one record.
      this.#later.push(...later);
      return;
    }
    for (const line of later) this.child.write(line);
    this.child.closeInput();
  }

  async receivedEcho(line: string): Promise<void> {
    const text = `echo ${this.#wrapped(line)}`;
    await this.child.line(`"${text.slice(0, 40)}"`, (line) => (line.includes(text) ? line : undefined), runMs);
    const next = this.#later.shift();
    if (next !== undefined) this.child.write(next);
  }

  async end(): Promise<void> {
    this.child.closeInput();
    await this.child.end(runMs);
  }

  async kill(): Promise<void> {
    this.child.kill();
    await this.child.exited;
  }

  transcript(): string {
    return this.child.transcript();
  }
}

export interface ServerProgram {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly options?: ChildOptions;
  readonly port: number | undefined;
  /** How it says that it listens; a number in parentheses is its port. */
  readonly ready: RegExp;
  readonly isAnswer: PeerServer["isAnswer"];
  /** It shows what it receives and sends what it is given: the answer is typed in. */
  readonly isInteractive?: boolean;
  /** How it says that the other side closed. */
  readonly closed?: RegExp;
}

export async function startServerProgram(program: ServerProgram): Promise<PeerServer> {
  const child = new Child(program.name, program.command, program.args, program.options);
  const find = (pattern: RegExp) => child.line(String(pattern), (line) => pattern.exec(line) ?? undefined, runMs).catch(() => undefined);
  const ready = await find(program.ready);
  const port = program.port ?? Number(ready?.[1]);
  if (ready === undefined || !(port > 0)) {
    child.kill();
    throw new Error(`${program.name} does not listen\n${child.transcript()}`);
  }
  const { closed } = program;
  const answer = async (line: string): Promise<void> => {
    await child.says(line, runMs);
    child.write(line);
  };
  return {
    port,
    isAnswer: program.isAnswer,
    ...(program.isInteractive ? { answer } : {}),
    ...(closed === undefined
      ? {}
      : {
          closed: async () => {
            if ((await find(closed)) === undefined) throw new Error(`it has not noticed\n${child.transcript()}`);
          },
        }),
    kill: async () => {
      child.kill();
      await child.exited;
    },
    transcript: () => child.transcript(),
  };
}

export const isEcho = (line: string, heard: string): boolean => heard.trimEnd() === line;
