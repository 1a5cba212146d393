/**
 * Protected datagrams of established connections, TLS_PSK_WITH_AES_128_CCM_8: 64 B echoed, ours against Scandium; with a connection id
 * against without; and a Send as a sensor makes it, decoded and answered, ours against Californium on Scandium. CPU time of the server
 * process. The load has sealed its records before a round, and opens only some of the answers.
 */
import { compare } from "./contest.ts";
import { compareWithScandium, startDtlsLoad, startDtlsServer, targetAt } from "./dtls-contest.ts";
import type { DtlsServing } from "./dtls-parties.ts";
import { withParties } from "./dtls-parties.ts";
import type { BenchOptions, Figure } from "./figure.ts";
import { sendRequest } from "./send-request.ts";
import type { ServerUnderLoad } from "./server-under-load.ts";

const name = "dtls-echo";
const clients = 64;
const echo = { kind: "echo", bytes: 64 } as const;
const changed = 0x44;
const idBytes = 8;

export function bench({ seconds }: BenchOptions): Promise<Figure[]> {
  return withParties(clients, async (folder) => {
    const serving: DtlsServing = { mode: "echo", proof: "psk", folder, clients };
    return [
      ...(await compareWithScandium({
        bench: name,
        serving,
        operation: { one: "echo", many: "echoes", of: " of 64 B, PSK CCM_8" },
        order: (target, ms) => ({ kind: "records", target, ms, content: echo }),
        against: "scandium",
        seconds,
      })),
      ...(await compareIds(serving, seconds)),
      ...(await compareWithScandium({
        bench: name,
        serving: { ...serving, mode: "send" },
        operation: { one: "Send", many: "Sends", of: " decoded, PSK CCM_8" },
        order: (target, ms) => ({ kind: "records", target, ms, content: send }),
        against: "californium",
        seconds,
      })),
    ];
  });
}

const send = { kind: "coap", request: Buffer.from(sendRequest()).toString("hex"), code: changed } as const;

/** The same server twice: what records cost more with an id. */
async function compareIds(serving: DtlsServing, seconds: number): Promise<Figure[]> {
  const servings = [{ ...serving, idBytes }, serving];
  const load = await startDtlsLoad();
  const servers: ServerUnderLoad[] = [];
  try {
    for (const each of servings) servers.push(await startDtlsServer(each));
    const [ours, plain] = servers;
    if (ours === undefined || plain === undefined) throw new Error("two servers were started");
    return await compare({
      bench: name,
      ours,
      theirs: [{ against: "ours", server: plain }],
      operation: { one: "echo", many: "echoes", of: " of 64 B with a connection id, against without" },
      run: (server, ms) =>
        load.run({ kind: "records", target: targetAt(server, server === ours ? { ...serving, idBytes } : serving), ms, content: echo }),
      seconds,
    });
  } finally {
    load.stop();
    for (const server of servers) server.stop();
  }
}
