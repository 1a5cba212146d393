/** Echoes at fixed instants by established devices, and how late each came back. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DtlsTarget } from "./dtls-load-contract.ts";
import { devicesOf } from "./dtls-load-device.ts";
import type { LoadReport } from "./load-contract.ts";
import { percentilesOf } from "./statistics.ts";

const contentBytes = 64;
const patienceMs = 500;

export async function pacedEchoes(target: DtlsTarget, perSecond: number, ms: number): Promise<LoadReport> {
  const devices = await devicesOf(target);
  const latencies: number[] = [];
  const lateness: number[] = [];
  const content = Buffer.alloc(contentBytes);
  const dueAt: number[] = [];
  for (const { endpoint } of devices) {
    endpoint.plaintext.onDatagram((bytes) => {
      const due = dueAt[Buffer.from(bytes.buffer, bytes.byteOffset).readUInt32BE(0)];
      if (due !== undefined) latencies.push(performance.now() - due);
    });
  }
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  // Watches the clock all the time but lets the loop turn: a timer would be a millisecond late.
  for (let sent = 0; performance.now() - startedAt < ms; ) {
    const due = startedAt + (sent * 1_000) / perSecond;
    if (performance.now() >= due) {
      const device = devices[sent % devices.length];
      content.writeUInt32BE(sent);
      dueAt[sent++] = due;
      lateness.push(performance.now() - due);
      if (device?.peer !== undefined) device.endpoint.plaintext.send(content, device.peer);
    }
    await turn();
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await sleep(patienceMs);
  const { user, system } = process.cpuUsage(cpu);
  return {
    sent: dueAt.length,
    answered: latencies.length,
    seconds,
    cpuSeconds: (user + system) / 1e6,
    latencyMs: percentilesOf(Float32Array.from(latencies)),
    latenessMs: percentilesOf(Float32Array.from(lateness)),
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
