/** The DTLS load on our server and on Scandium's, in turns. */
import { compare } from "./contest.ts";
import type { DtlsOrder, DtlsTarget } from "./dtls-load-contract.ts";
import type { DtlsServing } from "./dtls-parties.ts";
import type { Figure } from "./figure.ts";
import { type Load, startLoadProcess } from "./load.ts";
import { isScandiumReady, startScandium } from "./scandium-server.ts";
import { type ServerUnderLoad, startServer } from "./server-under-load.ts";

const serverFile = new URL("./dtls-server.js", import.meta.url);
const loadFile = new URL("./dtls-load-process.js", import.meta.url);

export interface DtlsContest {
  readonly bench: string;
  readonly serving: DtlsServing;
  readonly operation: { readonly one: string; readonly many: string; readonly of: string };
  readonly order: (target: DtlsTarget, ms: number) => DtlsOrder;
  readonly against: "scandium" | "californium";
  readonly seconds: number;
}

export async function compareWithScandium(contest: DtlsContest): Promise<Figure[]> {
  const { bench, serving, operation, order, seconds, against } = contest;
  const load = await startDtlsLoad();
  const servers: ServerUnderLoad[] = [];
  try {
    const ours = await startDtlsServer(serving);
    servers.push(ours);
    const theirs = isScandiumReady(bench) ? [{ against, server: await startScandium(serving) }] : [];
    servers.push(...theirs.map(({ server }) => server));
    const run = (server: ServerUnderLoad, ms: number) => load.run(order(targetAt(server, serving), ms));
    return await compare({ bench, ours, theirs, operation, run, seconds });
  } finally {
    load.stop();
    for (const server of servers) server.stop();
  }
}

/** Our server in two forms: what the first costs against the second. */
export async function compareServings(
  contest: Pick<DtlsContest, "bench" | "operation" | "order" | "seconds">,
  first: DtlsServing,
  second: DtlsServing,
): Promise<Figure[]> {
  const { bench, operation, order, seconds } = contest;
  const load = await startDtlsLoad();
  const servers: ServerUnderLoad[] = [];
  try {
    const ours = await startDtlsServer(first);
    servers.push(ours);
    const theirs = await startDtlsServer(second);
    servers.push(theirs);
    const run = (server: ServerUnderLoad, ms: number) => load.run(order(targetAt(server, server === ours ? first : second), ms));
    return await compare({ bench, ours, theirs: [{ against: "ours", server: theirs }], operation, run, seconds });
  } finally {
    load.stop();
    for (const server of servers) server.stop();
  }
}

export function startDtlsServer(serving: DtlsServing): Promise<ServerUnderLoad> {
  return startServer(serverFile, JSON.stringify(serving));
}

/** Echoes without DTLS. */
export function startPlainServer(): Promise<ServerUnderLoad> {
  return startServer(serverFile, "plain");
}

export function startDtlsLoad(options: readonly "background"[] = []): Promise<Load<DtlsOrder>> {
  return startLoadProcess<DtlsOrder>(loadFile, options);
}

export function targetAt({ port }: ServerUnderLoad, { proof, folder, clients, idBytes = 0 }: DtlsServing): DtlsTarget {
  return { port, proof, folder, clients, idBytes };
}
