/**
 * Servers under the same load, in turns: ours, theirs, ours, theirs, … Figures are medians over the rounds, a ratio is the median of
 * the ratios of each round, so what slows the machine down for a while slows both sides of it. Each server is a process of its own on one
 * core; sixty-four clients of CoAP in a closed loop, one request each: npm `coap` loses datagrams with more.
 */
import { type Figure, rounded } from "./figure.ts";
import { startLoad } from "./load.ts";
import type { LoadReport } from "./load-contract.ts";
import { occupationDuring, type ServerUnderLoad } from "./server-under-load.ts";
import { medianOf } from "./statistics.ts";

const clients = 64;
/** Long enough that collecting garbage is part of every round, and for a CPU time told to 10 ms; a short bench has shorter ones. */
const roundMs = 2_000;
const fewestRounds = 5;

export interface Contestant {
  readonly against: keyof typeof warmUpSeconds;
  readonly server: ServerUnderLoad;
}

export interface Contest {
  readonly bench: string;
  readonly ours: ServerUnderLoad;
  readonly theirs: readonly Contestant[];
  /** Confirmable, with a token of 8 bytes. */
  readonly request: Uint8Array;
  /** The code byte of an answer that counts. */
  readonly code: number;
  /** Of measurement; what comes before, so that compilers have done their work, is on top. */
  readonly seconds: number;
}

/** What servers are compared at. */
export interface Discipline {
  readonly bench: string;
  readonly ours: ServerUnderLoad;
  readonly theirs: readonly Contestant[];
  /** What is counted, in the names of figures; `of` more about it. */
  readonly operation: { readonly one: string; readonly many: string; readonly of?: string };
  /** Load on one of the servers for so long. */
  readonly run: (server: ServerUnderLoad, ms: number) => Promise<LoadReport>;
  readonly seconds: number;
}

interface Round {
  readonly cpuUs: number;
  readonly perSecond: number;
  /** Shares of one core. */
  readonly serverBusy: number;
  readonly othersBusy: number;
  readonly loadBusy: number;
}

/** Time for a compiler, seconds: the Java machine recompiles for several, and a handshake of ours is at its best after 8,000 of them. */
const warmUpSeconds = { ours: 3, "npm-coap": 1, libcoap: 0.2, californium: 8, scandium: 8 } as const;

/** Ends the servers. */
export async function compareServers(contest: Contest): Promise<Figure[]> {
  const load = await startLoad();
  const request = Buffer.from(contest.request).toString("hex");
  try {
    return await compare({
      ...contest,
      operation: { one: "request", many: "requests" },
      run: ({ port }, ms) => load.run({ kind: "closed", target: { port, clients, request, code: contest.code }, ms }),
    });
  } finally {
    load.stop();
    for (const { server } of [{ server: contest.ours }, ...contest.theirs]) server.stop();
  }
}

/** Against nobody it measures ours all the same. */
export async function compare(discipline: Discipline): Promise<Figure[]> {
  const { theirs, seconds } = discipline;
  const entrants = [{ against: "ours" as const, server: discipline.ours }, ...theirs];
  const turnsMs = (seconds * 1_000) / entrants.length;
  const rounds = Math.max(fewestRounds, Math.round(turnsMs / roundMs));
  for (const { against, server } of entrants) await runRound(discipline, server, warmUpSeconds[against] * 1_000);
  const results = entrants.map((): Round[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { server }] of entrants.entries()) results[i]?.push(await runRound(discipline, server, turnsMs / rounds));
  }
  for (const [i, { against }] of entrants.entries()) note(discipline, against, results[i] ?? []);
  const [ours = [], ...others] = results;
  if (theirs.length === 0) return figuresOf(discipline, ours, [], null);
  return theirs.flatMap(({ against }, i) => figuresOf(discipline, ours, others[i] ?? [], against === "ours" ? null : against));
}

async function runRound({ run }: Discipline, server: ServerUnderLoad, ms: number): Promise<Round> {
  const [{ answered, seconds, cpuSeconds }, core] = await occupationDuring(server, () => run(server, ms));
  if (answered === 0) throw new Error(`the server on port ${server.port} answered nothing`);
  return {
    cpuUs: core.cpuUs / answered,
    perSecond: answered / seconds,
    serverBusy: core.server,
    othersBusy: core.others,
    loadBusy: cpuSeconds / seconds,
  };
}

function figuresOf(
  { bench, operation }: Discipline,
  ours: readonly Round[],
  theirs: readonly Round[],
  against: Figure["against"],
): Figure[] {
  const { one, many, of = "" } = operation;
  const ratios = theirs.map(({ cpuUs }, i) => cpuUs / (ours[i]?.cpuUs ?? Number.NaN));
  const rates = theirs.map(({ perSecond }, i) => (ours[i]?.perSecond ?? Number.NaN) / perSecond);
  const figure = (name: string, values: readonly number[], unit: string, compared: readonly number[]): Figure => ({
    bench,
    figure: `${name}${of}`,
    value: rounded(medianOf(values)),
    unit,
    against,
    ratio: compared.length === 0 ? null : rounded(medianOf(compared)),
  });
  return [
    figure(
      `server CPU per ${one}`,
      ours.map(({ cpuUs }) => cpuUs),
      "us",
      ratios,
    ),
    figure(
      many,
      ours.map(({ perSecond }) => perSecond),
      "1/s",
      rates,
    ),
  ];
}

/** How far to trust the figures: the spread of the rounds, whether server or load ran out of CPU, and who else was on the server's core. */
function note({ bench, operation }: Discipline, who: string, results: readonly Round[]): void {
  const cpu = results.map(({ cpuUs }) => cpuUs);
  const percent = (share: (round: Round) => number): string => `${Math.round(medianOf(results.map(share)) * 100)} %`;
  const spread = `${rounded(medianOf(cpu))} us per ${operation.one} (${rounded(Math.min(...cpu))} to ${rounded(Math.max(...cpu))})`;
  const core = `server ${percent(({ serverBusy }) => serverBusy)} of its core, others ${percent(({ othersBusy }) => othersBusy)}`;
  console.error(`${bench}${operation.of ?? ""} ${who}: ${spread}, ${core}; load ${percent(({ loadBusy }) => loadBusy)} busy`);
}
