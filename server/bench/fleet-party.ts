/** The fleet of `client-emulator` as a process beside a server; it is found as a file, since the server imports nothing of it. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onCoresOf } from "@lwm2m/protocol/bench/cores";

const program = fileURLToPath(new URL("../../../client-emulator/dist/bench/fleet-process.js", import.meta.url));

/** What is used here of `FleetProcessOptions` in `client-emulator/bench/fleet-process.ts`; so with those below. */
export interface FleetOptions {
  readonly port: number;
  readonly devices: number;
  readonly prefix: string;
  readonly registrationsAtOnce: number;
  readonly registrationsPerSecond?: number;
}

/** Beside a server that has a core of its own (`protocol/bench/cores.ts`). */
interface Placement {
  readonly pinned?: boolean;
}

export interface Rates {
  readonly updatesPerSecond: number;
  readonly notificationsPerSecond: number;
  readonly sendsPerSecond: number;
}

export interface KindReport {
  readonly sent: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly repeated: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number } | null;
}

export interface FleetAnswer {
  readonly report: {
    readonly devices: number;
    readonly registered: number;
    readonly observed: number;
    readonly register: KindReport;
    readonly update: KindReport;
    readonly notification: KindReport;
    readonly send: KindReport;
    readonly load: { readonly latenessMs: { readonly p99: number; readonly max: number } | null; readonly skipped: number };
    readonly datagrams: Readonly<Record<string, number>>;
  };
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly heapBytesPerDevice: number | null;
  readonly rssBytesPerDevice: number;
}

export interface Fleet {
  /** Every device; rejects when one is not registered at the end. */
  register(): Promise<FleetAnswer>;
  pace(rates: Rates, seconds: number): Promise<FleetAnswer>;
  press(what: "register" | "update" | "send", atOnce: number, seconds: number): Promise<FleetAnswer>;
  stop(): Promise<void>;
}

export async function startFleet(options: FleetOptions, { pinned = false }: Placement = {}): Promise<Fleet> {
  const node = { program: process.execPath, args: process.execArgv };
  const { program: execPath, args } = pinned ? onCoresOf("load", node) : node;
  const child = fork(program, [JSON.stringify(options)], { execPath, execArgv: [...args], stdio: ["ignore", "ignore", "inherit", "ipc"] });
  await told(child);
  const order = async (asked: object): Promise<FleetAnswer> => {
    child.send(asked);
    // What it tells is typed by the process it is forked from.
    return (await told(child)) as FleetAnswer;
  };
  return {
    async register() {
      const answer = await order({ kind: "register" });
      const { registered, devices } = answer.report;
      if (registered !== devices) throw new Error(`${registered} of ${devices} devices are registered`);
      return answer;
    },
    pace: (rates, seconds) => order({ kind: "pace", rates, ms: seconds * 1_000 }),
    press: (what, atOnce, seconds) => order({ kind: "press", what, atOnce, ms: seconds * 1_000 }),
    async stop() {
      if (child.exitCode !== null || !child.connected) return;
      const exit = once(child, "exit");
      child.disconnect();
      await exit;
    },
  };
}

function told(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`the fleet ended with ${code}`));
    child.once("exit", onExit);
    child.once("message", (message) => {
      child.off("exit", onExit);
      resolve(message);
    });
  });
}
