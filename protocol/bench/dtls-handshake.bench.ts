/**
 * Full handshakes with CCM_8, ours against Scandium: PSK, raw public keys and certificates of both sides, P-256. Then what established
 * devices notice of a storm of them, and what an invented ClientHello costs. CPU time of the server process; the load is our client role,
 * which costs as much as our server does, so with PSK handshakes a second it is often the load that is measured.
 */

import { compare } from "./contest.ts";
import { compareServings, compareWithScandium, startDtlsLoad, startDtlsServer, startPlainServer, targetAt } from "./dtls-contest.ts";
import { type DtlsServing, type Proof, withParties } from "./dtls-parties.ts";
import { type BenchOptions, type Figure, rounded } from "./figure.ts";
import type { LoadReport } from "./load-contract.ts";
import type { ServerUnderLoad } from "./server-under-load.ts";

const name = "dtls-handshake";
const clients = 32;
const prefixes = 64;
const proofs: readonly { readonly proof: Proof; readonly title: string }[] = [
  { proof: "psk", title: "PSK" },
  { proof: "rpk", title: "raw public keys of both sides" },
  { proof: "x509", title: "certificates of both sides" },
];
const stormProofs: readonly Proof[] = ["psk", "x509"];
const echoesPerSecond = 500;
/** Few: they have connections for the whole of the storm. */
const echoClients = 8;
const bytesPerMebibyte = 1_048_576;

export function bench({ seconds }: BenchOptions): Promise<Figure[]> {
  return withParties(clients + echoClients, async (folder) => {
    const figures: Figure[] = [];
    for (const { proof, title } of proofs) {
      figures.push(
        ...(await compareWithScandium({
          bench: name,
          serving: { mode: "echo", proof, folder, clients },
          operation: { one: "handshake", many: "handshakes", of: `, ${title}` },
          order: (target, ms) => ({ kind: "handshakes", target, ms }),
          against: "scandium",
          seconds,
        })),
      );
    }
    figures.push(
      ...(await compareServings(
        {
          bench: name,
          operation: { one: "handshake", many: "handshakes", of: ", PSK, against by node:crypto" },
          order: (target, ms) => ({ kind: "handshakes", target, ms }),
          seconds,
        },
        { mode: "echo", proof: "psk", folder, clients },
        { mode: "echo", proof: "psk", folder, clients, crypto: "node" },
      )),
    );
    for (const proof of stormProofs) figures.push(...(await stormFigures({ mode: "echo", proof, folder, clients }, seconds)));
    return [...figures, ...(await helloFigures({ mode: "echo", proof: "psk", folder, clients: prefixes }, seconds))];
  });
}

/** The same echoes before and in a storm. The processes that make them and the storm share cores; the storm gives way. */
async function stormFigures(serving: DtlsServing, seconds: number): Promise<Figure[]> {
  const server = await startDtlsServer(serving);
  const echoes = await startDtlsLoad();
  const storm = await startDtlsLoad(["background"]);
  try {
    const target = { ...targetAt(server, serving), clients: echoClients, firstClient: clients };
    const ms = (seconds / 2) * 1_000;
    const paced = (lastsMs: number) => echoes.run({ kind: "paced", target, ms: lastsMs, perSecond: echoesPerSecond });
    await paced(1_000);
    const stormTarget = targetAt(server, serving);
    await storm.run({ kind: "handshakes", target: stormTarget, ms: 2_000 });
    const idle = await paced(ms);
    const stormed = storm.run({ kind: "handshakes", target: stormTarget, ms: ms + 1_500 });
    const busy = await paced(ms);
    return figuresOfStorm(serving.proof, idle, busy, await stormed);
  } finally {
    echoes.stop();
    storm.stop();
    server.stop();
  }
}

function figuresOfStorm(proof: Proof, idle: LoadReport, busy: LoadReport, storm: LoadReport): Figure[] {
  const [before, during] = [idle.latencyMs?.p99 ?? Number.NaN, busy.latencyMs?.p99 ?? Number.NaN];
  const told = ({ sent, answered, latencyMs, latenessMs }: LoadReport): string =>
    `${answered} of ${sent}, p50 ${rounded(latencyMs?.p50 ?? 0)}, p99 ${rounded(latencyMs?.p99 ?? 0)}, max ${rounded(latencyMs?.max ?? 0)} ms, the load's own lateness p99 ${rounded(latenessMs?.p99 ?? 0)} ms`;
  const rate = Math.round(storm.answered / storm.seconds);
  console.error(`${name} storm of ${rate} ${proof} handshakes a second: echoes before ${told(idle)}; in it ${told(busy)}`);
  const figure = (what: string, value: number, unit: string): Figure => ({
    bench: name,
    figure: `established echo ${what}`,
    value: rounded(value),
    unit,
    against: null,
    ratio: null,
  });
  return [
    figure(`p99, idle (${proof})`, before, "ms"),
    figure(`p99, ${proof} handshakes all the time`, during, "ms"),
    figure(`p99, ${proof} handshakes all the time, against idle`, during / before, "x"),
  ];
}

/** The cookie door against a plain echo of the same bytes, and what memory thousands of hellos leave behind. */
async function helloFigures(serving: DtlsServing, seconds: number): Promise<Figure[]> {
  const servers: ServerUnderLoad[] = [];
  const load = await startDtlsLoad();
  try {
    servers.push(await startDtlsServer(serving), await startPlainServer());
    const [ours, plain] = servers;
    if (ours === undefined || plain === undefined) throw new Error("two servers were started");
    const run = (server: ServerUnderLoad, ms: number) => load.run({ kind: "hellos", target: targetAt(server, serving), ms });
    await run(ours, 1_000);
    const before = (await ours.usage()).rssBytes;
    const operation = { one: "invented ClientHello", many: "invented ClientHellos answered", of: ", against a plain echo" };
    const theirs = [{ against: "ours" as const, server: plain }];
    const figures = await compare({ bench: name, ours, theirs, operation, run, seconds });
    const growth = rounded(((await ours.usage()).rssBytes - before) / bytesPerMebibyte);
    const memory = {
      bench: name,
      figure: "RSS growth in a flood of invented ClientHellos",
      value: growth,
      unit: "MB",
      against: null,
      ratio: null,
    };
    return [...figures, memory];
  } finally {
    load.stop();
    for (const server of servers) server.stop();
  }
}
