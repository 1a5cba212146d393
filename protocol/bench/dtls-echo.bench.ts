/**
 * Protected datagrams of established connections, TLS_PSK_WITH_AES_128_CCM_8: 64 B echoed, ours against Scandium; with a connection id
 * against without; by calls into OpenSSL against by node:crypto; and a Send as a sensor makes it, decoded and answered, ours against Californium on
 * Scandium. CPU time of the server process. The load has sealed its records before a round, and opens only some of the answers.
 */
import { compareServings, compareWithScandium } from "./dtls-contest.ts";
import type { DtlsOrder, DtlsTarget } from "./dtls-load-contract.ts";
import type { DtlsServing } from "./dtls-parties.ts";
import { withParties } from "./dtls-parties.ts";
import type { BenchOptions, Figure } from "./figure.ts";
import { sendRequest } from "./send-request.ts";

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
        order: echoes,
        against: "scandium",
        seconds,
      })),
      ...(await compareServings(
        {
          bench: name,
          operation: { one: "echo", many: "echoes", of: " of 64 B with a connection id, against without" },
          order: echoes,
          seconds,
        },
        { ...serving, idBytes },
        serving,
      )),
      ...(await compareServings(
        { bench: name, operation: { one: "echo", many: "echoes", of: " of 64 B, against by node:crypto" }, order: echoes, seconds },
        serving,
        { ...serving, crypto: "node" },
      )),
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

const echoes = (target: DtlsTarget, ms: number): DtlsOrder => ({ kind: "records", target, ms, content: echo });
const send = { kind: "coap", request: Buffer.from(sendRequest()).toString("hex"), code: changed } as const;
