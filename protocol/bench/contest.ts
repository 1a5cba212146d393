/**
 * CoAP servers under the same load, in turns: ours, theirs, ours, theirs, … Figures are medians over the rounds, a ratio is the median of
 * the ratios of each round, so what slows the machine down for a while slows both sides of it. Each server is a process of its own on one
 * core; sixty-four clients in a closed loop, one request each: npm `coap` loses datagrams with more.
 */
import { type Figure, rounded } from "./figure.ts";
import { type Load, startLoad } from "./load.ts";
import { occupationDuring, type ServerUnderLoad } from "./server-under-load.ts";
import { medianOf } from "./statistics.ts";

const clients = 64;
/** Long enough that collecting garbage is part of every round, and for a CPU time told to 10 ms; a short bench has shorter ones. */
const roundMs = 2_000;
const fewestRounds = 5;

export interface Contestant {
  readonly against: "npm-coap" | "libcoap" | "californium";
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

interface Round {
  readonly cpuUs: number;
  readonly perSecond: number;
  /** Shares of one core. */
  readonly serverBusy: number;
  readonly othersBusy: number;
  readonly loadBusy: number;
}

/** Time for a compiler, seconds: the Java machine recompiles for several. */
const warmUpSeconds = { ours: 1, "npm-coap": 1, libcoap: 0.2, californium: 8 } as const;

/** Ends the servers. */
export async function compareServers(contest: Contest): Promise<Figure[]> {
  const load = await startLoad();
  const entrants = [{ against: "ours" as const, server: contest.ours }, ...contest.theirs];
  const turnsMs = (contest.seconds * 1_000) / entrants.length;
  const rounds = Math.max(fewestRounds, Math.round(turnsMs / roundMs));
  try {
    for (const { against, server } of entrants) {
      await runRound(load, server, contest, warmUpSeconds[against] * 1_000);
    }
    const results = entrants.map((): Round[] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, { server }] of entrants.entries()) results[i]?.push(await runRound(load, server, contest, turnsMs / rounds));
    }
    for (const [i, { against }] of entrants.entries()) note(contest.bench, against, results[i] ?? []);
    const [ours = [], ...theirs] = results;
    return contest.theirs.flatMap(({ against }, i) => figuresOf(contest.bench, ours, theirs[i] ?? [], against));
  } finally {
    load.stop();
    for (const { server } of entrants) server.stop();
  }
}

async function runRound(load: Load, server: ServerUnderLoad, contest: Contest, ms: number): Promise<Round> {
  const target = { port: server.port, clients, request: Buffer.from(contest.request).toString("hex"), code: contest.code };
  const [{ answered, seconds, cpuSeconds }, core] = await occupationDuring(server, () => load.run({ kind: "closed", target, ms }));
  if (answered === 0) throw new Error(`the server on port ${server.port} answered nothing`);
  return {
    cpuUs: core.cpuUs / answered,
    perSecond: answered / seconds,
    serverBusy: core.server,
    othersBusy: core.others,
    loadBusy: cpuSeconds / seconds,
  };
}

function figuresOf(bench: string, ours: readonly Round[], theirs: readonly Round[], against: Figure["against"]): Figure[] {
  const ratios = ours.map(({ cpuUs }, i) => (theirs[i]?.cpuUs ?? Number.NaN) / cpuUs);
  const rates = ours.map(({ perSecond }, i) => perSecond / (theirs[i]?.perSecond ?? Number.NaN));
  return [
    {
      bench,
      figure: "server CPU per request",
      value: rounded(medianOf(ours.map(({ cpuUs }) => cpuUs))),
      unit: "us",
      against,
      ratio: rounded(medianOf(ratios)),
    },
    {
      bench,
      figure: "requests",
      value: rounded(medianOf(ours.map(({ perSecond }) => perSecond))),
      unit: "1/s",
      against,
      ratio: rounded(medianOf(rates)),
    },
  ];
}

/** How far to trust the figures: the spread of the rounds, whether server or load ran out of CPU, and who else was on the server's core. */
function note(bench: string, who: string, results: readonly Round[]): void {
  const cpu = results.map(({ cpuUs }) => cpuUs);
  const percent = (share: (round: Round) => number): string => `${Math.round(medianOf(results.map(share)) * 100)} %`;
  const spread = `${rounded(medianOf(cpu))} us a request (${rounded(Math.min(...cpu))} to ${rounded(Math.max(...cpu))})`;
  const core = `server ${percent(({ serverBusy }) => serverBusy)} of its core, others ${percent(({ othersBusy }) => othersBusy)}`;
  console.error(`${bench} ${who}: ${spread}, ${core}; load ${percent(({ loadBusy }) => loadBusy)} busy`);
}
