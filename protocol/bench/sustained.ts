/** What a server does under load that lasts: requests at a fixed rate that get lost or late, and the memory it has after minutes. */
import { type Figure, rounded } from "./figure.ts";
import { startLoad } from "./load.ts";
import type { LoadReport, Target } from "./load-contract.ts";
import { type Occupation, occupationDuring, type ServerUnderLoad } from "./server-under-load.ts";
import { slopeOf } from "./statistics.ts";

export interface Endurance {
  readonly bench: string;
  /** Begins the figures' names: what kind of request, how many a second. */
  readonly figure: string;
  readonly target: Target;
  readonly perSecond: number;
  readonly seconds: number;
}

/** The compiler's time, seconds, not counted. */
const warmUpSeconds = 2;
const sampleMs = 1_000;
const samplesPerMinute = 60;
const mebibyte = 1_048_576;

/** Requests lost, and how late the answer of the slowest hundredth was. Latency counts from the instant a request was due. */
export async function pacedFigures(server: ServerUnderLoad, endurance: Endurance): Promise<Figure[]> {
  const { bench, figure: rate, target, perSecond, seconds } = endurance;
  const load = await startLoad();
  try {
    const paced = { kind: "paced", target, perSecond, watchful: true } as const;
    await load.run({ ...paced, ms: Math.min(seconds, warmUpSeconds) * 1_000 });
    const [report, core] = await occupationDuring(server, () => load.run({ ...paced, ms: seconds * 1_000 }));
    const figure = `${rate} for ${seconds} s`;
    console.error(`${bench} ${figure}: ${Math.round(perSecond)} a second, ${spread(report)}; ${sharesOf(core)}`);
    const rest = { against: null, ratio: null };
    return [
      { bench, figure: `${figure}: lost`, value: report.sent - report.answered, unit: "requests", ...rest },
      { bench, figure: `${figure}: p99`, value: rounded(report.latencyMs?.p99 ?? Number.NaN), unit: "ms", ...rest },
    ];
  } finally {
    load.stop();
  }
}

/** The process's resident memory after a minute, at the end, and how it grew in the second half of the time. */
export async function memoryFigures(server: ServerUnderLoad, { bench, figure, target, perSecond, seconds }: Endurance): Promise<Figure[]> {
  const load = await startLoad();
  const samples: number[] = [];
  let sampled: Promise<unknown> = Promise.resolve();
  const sample = async (): Promise<void> => void samples.push((await server.usage()).rssBytes / mebibyte);
  const timer = setInterval(() => {
    sampled = sampled.then(sample);
  }, sampleMs);
  try {
    const { sent, answered } = await load.run({ kind: "paced", target, perSecond, watchful: false, ms: seconds * 1_000 });
    clearInterval(timer);
    await sampled;
    await sample();
    if (answered === 0) throw new Error(`the server on port ${target.port} answered nothing`);
    console.error(
      `${bench} RSS: ${samples.length} samples, at most ${rounded(Math.max(...samples))} MB, ${sent - answered} of ${sent} lost`,
    );
    return rssFigures({ bench, figure, seconds }, samples);
  } finally {
    clearInterval(timer);
    load.stop();
  }
}

function rssFigures(
  { bench, figure: rate, seconds }: Pick<Endurance, "bench" | "figure" | "seconds">,
  samples: readonly number[],
): Figure[] {
  const mb = (name: string, value: number | undefined, unit = "MB"): Figure[] =>
    value === undefined ? [] : [{ bench, figure: `${name} at ${rate}`, value: rounded(value), unit, against: null, ratio: null }];
  return [
    ...(seconds > samplesPerMinute ? mb("RSS after 1 min", samples[samplesPerMinute - 1]) : []),
    ...mb(`RSS after ${lengthOf(seconds)}`, samples.at(-1)),
    ...mb("RSS growth in the second half", slopeOf(samples.slice(Math.floor(samples.length / 2))) * samplesPerMinute, "MB/min"),
  ];
}

function lengthOf(seconds: number): string {
  return seconds % samplesPerMinute === 0 ? `${seconds / samplesPerMinute} min` : `${seconds} s`;
}

function spread({ sent, answered, latencyMs, latenessMs, cpuSeconds, seconds }: LoadReport): string {
  const shown = (value: number | undefined): number => rounded(value ?? Number.NaN);
  const latency = `p50 ${shown(latencyMs?.p50)}, p99 ${shown(latencyMs?.p99)}, p99.9 ${shown(latencyMs?.p999)}, max ${shown(latencyMs?.max)} ms`;
  const own = `the load's own lateness p99 ${shown(latenessMs?.p99)}, max ${shown(latenessMs?.max)} ms`;
  return `${answered} of ${sent} answered, ${latency}; ${own}; load ${percent(cpuSeconds / seconds)} busy`;
}

function sharesOf({ server, others }: Occupation): string {
  return `server ${percent(server)} of its core, others ${percent(others)}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
