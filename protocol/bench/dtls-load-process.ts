/** The load on a DTLS server, a process of its own on cores of its own. Started with `background` it gives way to whoever else wants them. */
import { setPriority } from "node:os";
import type { DtlsOrder } from "./dtls-load-contract.ts";
import { handshakeLoad } from "./dtls-load-handshakes.ts";
import { helloLoad } from "./dtls-load-hellos.ts";
import { pacedEchoes } from "./dtls-load-paced.ts";
import { recordLoad } from "./dtls-load-records.ts";
import type { LoadReport } from "./load-contract.ts";

const leastPriority = 19;

if (process.argv[2] === "background") setPriority(leastPriority);
process.on("message", (order: DtlsOrder) => void run(order));
process.on("disconnect", () => process.exit(0));
process.send?.({ ready: true });

async function run(order: DtlsOrder): Promise<void> {
  const report = await make(order);
  process.send?.(report);
}

function make(order: DtlsOrder): Promise<LoadReport> {
  switch (order.kind) {
    case "records":
      return recordLoad(order.target, order.content, order.ms);
    case "handshakes":
      return handshakeLoad(order.target, order.ms);
    case "paced":
      return pacedEchoes(order.target, order.perSecond, order.ms);
    case "hellos":
      return helloLoad(order.target, order.ms);
  }
}
