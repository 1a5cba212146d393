/**
 * The same fleet against the whole server, everything durable, and against the Leshan server 2.0.0-M14 with its store in memory, in turns: as
 * many registrations and updates as so many devices at once get through, each again as soon as it is answered. A core for the server, the
 * rest for the fleet.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchOptions, type Figure, rounded } from "@lwm2m/protocol/bench/figure";
import { medianOf } from "@lwm2m/protocol/bench/statistics";
import { type Fleet, startFleet } from "./fleet-party.ts";
import { isLeshanReady, startLeshan } from "./leshan-peer.ts";
import { askServer, startServer, stopServer } from "./server-process.ts";

const name = "leshan-server";
const devices = 1_000;
const atOnce = 128;
/** Of each server, after those that do not count: Java compiles what it runs often, and so does Node. */
const rounds = 5;
const warmUpRounds = 2;
const kinds = ["register", "update"] as const;
type Kind = (typeof kinds)[number];

interface Side {
  readonly fleet: Fleet;
  /** User and system time of the server so far. */
  readonly cpuUs: () => Promise<number>;
}

interface Turn {
  readonly perSecond: number;
  readonly cpuUs: number;
}

export async function bench({ seconds }: BenchOptions): Promise<Figure[]> {
  if (!isLeshanReady(name)) return [];
  const directory = await mkdtemp(join(tmpdir(), "leshan-bench-"));
  const closers: (() => Promise<void> | void)[] = [() => rm(directory, { recursive: true })];
  try {
    const own = await startServer(["ours", directory, "info"], { pinned: true });
    closers.unshift(() => stopServer(own));
    const leshan = await startLeshan();
    closers.unshift(() => leshan.stop());
    const sides: readonly Side[] = [
      { fleet: await startFleetAt(own.coapPort), cpuUs: async () => (await askServer(own, "tell")).cpuUs ?? Number.NaN },
      { fleet: await startFleetAt(leshan.port), cpuUs: async () => (await leshan.usage()).cpuUs },
    ];
    closers.unshift(
      ...sides.map(
        ({ fleet }) =>
          () =>
            fleet.stop(),
      ),
    );
    for (const { fleet } of sides) await fleet.register();
    const turnSeconds = seconds / (sides.length * kinds.length * (rounds + warmUpRounds));
    return await compare(sides, turnSeconds);
  } finally {
    for (const close of closers) await close();
  }
}

function startFleetAt(port: number): Promise<Fleet> {
  return startFleet({ port, devices, prefix: "fleet", registrationsAtOnce: atOnce }, { pinned: true });
}

async function compare(sides: readonly Side[], turnSeconds: number): Promise<Figure[]> {
  const turns = new Map(kinds.map((kind) => [kind, sides.map((): Turn[] => [])]));
  for (let round = -warmUpRounds; round < rounds; round++) {
    for (const [kind, bySide] of turns) {
      for (const [i, side] of sides.entries()) {
        const turn = await take(side, kind, turnSeconds);
        if (round >= 0) bySide[i]?.push(turn);
      }
    }
  }
  return [...turns].flatMap(([kind, [own = [], leshan = []]]) => figuresOf(kind, own, leshan));
}

async function take({ fleet, cpuUs }: Side, kind: Kind, seconds: number): Promise<Turn> {
  const before = await cpuUs();
  const { report, seconds: passed } = await fleet.press(kind, atOnce, seconds);
  const { acknowledged, sent } = report[kind];
  // In a closed loop nothing but an answer lets the next one go: a loss would show as a turn that is nearly empty.
  if (acknowledged < sent) throw new Error(`${sent - acknowledged} of ${sent} ${kind}s were not acknowledged`);
  return { perSecond: acknowledged / passed, cpuUs: ((await cpuUs()) - before) / acknowledged };
}

function figuresOf(kind: Kind, own: readonly Turn[], leshan: readonly Turn[]): Figure[] {
  const rate = ({ perSecond }: Turn): number => perSecond;
  const cpu = ({ cpuUs }: Turn): number => cpuUs;
  const [perSecond, cpuUs] = [medianOf(own.map(rate)), medianOf(own.map(cpu))];
  const plural = kind === "register" ? "registrations" : "updates";
  const shared = { bench: name, against: "leshan" } as const;
  return [
    {
      ...{ ...shared, figure: `${plural} acknowledged durably, ${atOnce} at once, against Leshan in memory` },
      ...{ value: rounded(perSecond), unit: "1/s", ratio: rounded(perSecond / medianOf(leshan.map(rate))) },
    },
    {
      ...{ ...shared, figure: `server CPU of ${plural}, each` },
      ...{ value: rounded(cpuUs), unit: "us", ratio: rounded(medianOf(leshan.map(cpu)) / cpuUs) },
    },
  ];
}
