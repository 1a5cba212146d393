/** Runs the tour of the README as written, but on free ports and in a data directory of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { stablePort } from "@lwm2m/server/testing/platform/stable-port";
import { Child } from "../../interop/platform/child.ts";
import { eventually } from "../../interop/platform/deadline.ts";
import { removeDirectory, repositoryRoot, temporaryDirectory } from "../../interop/platform/locations.ts";
import type { TourBlock } from "../tour-script.ts";

/** One list of lines per step, block by block. */
export type TourOutputs = readonly (readonly (readonly string[])[])[];

const patienceMs = 90_000;

export async function runTour(blocks: readonly TourBlock[]): Promise<TourOutputs> {
  const tour = await Tour.open();
  try {
    const outputs: (readonly (readonly string[])[])[] = [];
    for (const block of blocks) outputs.push(await tour.run(block));
    return outputs;
  } finally {
    await tour.close();
  }
}

class Tour {
  readonly #directory: string;
  readonly #ports: ReadonlyMap<string, string>;
  readonly #shell: Shell;
  readonly #background: Child[] = [];
  #server: Child | undefined;

  private constructor(directory: string, ports: ReadonlyMap<string, string>) {
    this.#directory = directory;
    this.#ports = ports;
    this.#shell = new Shell();
  }

  static async open(): Promise<Tour> {
    const ports = new Map<string, string>();
    ports.set("8080", String(await stablePort("tcp")));
    for (const usual of ["5683", "5783"]) ports.set(usual, String(await stablePort("udp")));
    return new Tour(await temporaryDirectory(), ports);
  }

  async run(block: TourBlock): Promise<readonly (readonly string[])[]> {
    const [first] = block.steps;
    if (first === undefined) throw new Error("a console block without a command");
    if (block.terminal !== undefined) return [await this.#start(block.terminal, first.command)];
    if (block.afterSeconds !== undefined) await this.#pass(block.afterSeconds);
    const outputs: (readonly string[])[] = [];
    for (const { command } of block.steps) outputs.push(await this.#type(command, block.until));
    return outputs;
  }

  async close(): Promise<void> {
    this.#shell.close();
    for (const child of this.#background.reverse()) await child.stop();
    await removeDirectory(this.#directory);
  }

  async #type(command: string, until: string | undefined): Promise<readonly string[]> {
    const run = async (): Promise<readonly string[]> => this.#shownAsUsual(await this.#shell.run(this.#placed(command)));
    if (until === undefined) return run();
    return eventually(`${until} from ${command}`, patienceMs, async () => {
      const output = await run();
      return output.some((line) => line.includes(until)) ? output : undefined;
    });
  }

  /** `npm start` and `npm run device` without npm between, so that the process itself can be killed. */
  async #start(terminal: string, command: string): Promise<readonly string[]> {
    const script = command.startsWith("npm start") ? ["scripts/start.mjs"] : ["scripts/run.mjs", "client-emulator/dist/device-main.js"];
    const args = command.includes(" -- ") ? command.slice(command.indexOf(" -- ") + 4).split(" ") : [];
    const child = new Child(terminal, process.execPath, [...script, ...args.map((argument) => this.#placed(argument))], {
      cwd: repositoryRoot,
      env: this.#environment(),
    });
    this.#background.push(child);
    if (terminal === "server") {
      await this.#server?.exited;
      this.#server = child;
      await child.line("the REST door", (line) => (line.includes('"door":"http"') ? line : undefined));
    } else await child.line("the registration", (line) => (line.includes("register: 2.01") ? line : undefined));
    return this.#shownAsUsual([...child.stdout, ...child.stderr]);
  }

  #environment(): { readonly [name: string]: string } {
    const port = (usual: string): string => this.#ports.get(usual) ?? usual;
    return { DATA_DIR: this.#directory, HTTP_PORT: port("8080"), COAP_PORT: port("5683"), BOOTSTRAP_COAP_PORT: port("5783") };
  }

  /** The command with this run's ports, directory and server process. */
  #placed(command: string): string {
    const kill = this.#server === undefined ? "" : `kill -9 ${this.#server.pid}`;
    const moved = command.replaceAll("data/", `${this.#directory}/`).replace("pkill -9 -f scripts/start.mjs", kill);
    return [...this.#ports].reduce((text, [usual, port]) => text.replaceAll(usual, port), moved);
  }

  #shownAsUsual(output: readonly string[]): readonly string[] {
    const usual = (line: string): string => [...this.#ports].reduce((text, [name, port]) => text.replaceAll(port, name), line);
    const shown = output.map((line) => usual(line.replaceAll(join(this.#directory, "/"), "data/").replaceAll(this.#directory, "./data")));
    return shown.map((line) => line.replace(/lwm2m_[\w-]{8,}/g, "lwm2m_…"));
  }

  #pass(seconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  }
}

/** One bash for the whole tour, so that variables live on. */
class Shell {
  readonly #bash: ChildProcessWithoutNullStreams;
  #output = "";
  #count = 0;

  constructor() {
    // Both in one stream: the mark at the end of a command comes after everything it said.
    this.#bash = spawn("bash", ["--noprofile", "--norc"], { cwd: repositoryRoot, stdio: "pipe" });
    this.#bash.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#output += text;
    });
    this.#bash.stdin.write("exec 2>&1\n");
  }

  async run(command: string): Promise<readonly string[]> {
    const end = `tour-step-${++this.#count}-over`;
    this.#output = "";
    this.#bash.stdin.write(`${command}\necho; echo ${end}\n`);
    const text = await eventually(`the end of ${command}`, patienceMs, () => {
      const at = this.#output.indexOf(end);
      return at < 0 ? undefined : this.#output.slice(0, at);
    });
    return text
      .replace(/\n+$/, "")
      .split("\n")
      .filter((line, index, all) => line !== "" || (index > 0 && all[index - 1] !== ""));
  }

  close(): void {
    this.#bash.kill();
  }
}
