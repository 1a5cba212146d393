/**
 * The load on a server, a process of its own on cores of its own. Written lean, since it has to outrun the servers it loads: one socket a
 * client, connected; one request a client, changed in place; no promise, no timer and no object per message.
 */

import { closedLoad } from "./load-closed.ts";
import type { LoadOrder, LoadReport } from "./load-contract.ts";
import { pacedLoad } from "./load-paced.ts";

process.on("message", (order: LoadOrder) => void run(order));
process.on("disconnect", () => process.exit(0));
process.send?.({ ready: true });

async function run(order: LoadOrder): Promise<void> {
  const report: LoadReport = order.kind === "closed" ? await closedLoad(order.target, order.ms) : await pacedLoad(order);
  process.send?.(report);
}
