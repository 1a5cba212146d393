/** What a light fleet has seen, as JSON and as lines for a terminal. */
import type { LoadReport } from "./fleet-load.ts";
import type { TallyReport } from "./tally.ts";

export interface FleetReport {
  readonly devices: number;
  readonly registered: number;
  /** Devices that no attempt got registered. */
  readonly givenUp: number;
  /** Relations the server holds at the end (RFC 7641). */
  readonly observed: number;
  /** Requests of the server: reads, observations, discovery, executes. */
  readonly requestsServed: number;
  readonly register: TallyReport;
  readonly update: TallyReport;
  readonly notification: TallyReport;
  readonly send: TallyReport;
  readonly load: LoadReport;
  readonly datagrams: {
    readonly in: number;
    readonly out: number;
    /** Sent again for want of an acknowledgement (RFC 7252 §4.2). */
    readonly retransmissions: number;
    /** What the server sent twice (RFC 7252 §4.5). */
    readonly duplicates: number;
    readonly resets: number;
    readonly malformed: number;
    readonly unmatched: number;
    /** For devices that slept. */
    readonly missedAsleep: number;
  };
}

const columns = ["", "sent", "acknowledged", "lost", "repeated", "p50 ms", "p90 ms", "p99 ms", "max ms", "refused"] as const;

/** A table, and what stands beside it. */
export function reportLines(report: FleetReport): readonly string[] {
  const { devices, registered, givenUp, observed, requestsServed, datagrams, load } = report;
  const kinds = ["register", "update", "notification", "send"] as const;
  const rows = kinds.filter((kind) => report[kind].sent > 0).map((kind) => rowOf(kind, report[kind]));
  const { latenessMs, skipped } = load;
  return [
    `${registered} of ${devices} registered${givenUp === 0 ? "" : `, ${givenUp} given up`}; ${observed} observed, ${requestsServed} requests served`,
    ...tableOf([columns, ...rows]),
    `datagrams: ${datagrams.in} in, ${datagrams.out} out, ${datagrams.retransmissions} retransmissions, ${datagrams.duplicates} duplicates, ` +
      `${datagrams.resets} resets, ${datagrams.malformed} malformed, ${datagrams.unmatched} unmatched, ${datagrams.missedAsleep} missed asleep`,
    ...(latenessMs === null && skipped === 0
      ? []
      : [`the load's own lateness: p99 ${latenessMs?.p99 ?? 0} ms, max ${latenessMs?.max ?? 0} ms; ${skipped} due and not begun`]),
  ];
}

function rowOf(kind: string, { sent, acknowledged, lost, repeated, latencyMs, refused }: TallyReport): readonly string[] {
  const codes = Object.entries(refused).map(([code, count]) => `${count} × ${code}`);
  const latencies = latencyMs === null ? ["-", "-", "-", "-"] : [latencyMs.p50, latencyMs.p90, latencyMs.p99, latencyMs.max].map(String);
  return [kind, String(sent), String(acknowledged), String(lost), String(repeated), ...latencies, codes.join(", ") || "none"];
}

function tableOf(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const aligned = (cell: string, column: number): string =>
    column === 0 || column === columns.length - 1 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(aligned).join("  ").trimEnd());
}
