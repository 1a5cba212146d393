/** Full handshakes, as many at once as there are clients; each client comes back from the same place, as a device that was reset does. */
import type { DtlsTarget } from "./dtls-load-contract.ts";
import { devicesOf } from "./dtls-load-device.ts";
import type { LoadReport } from "./load-contract.ts";

export async function handshakeLoad(target: DtlsTarget, ms: number): Promise<LoadReport> {
  const devices = await devicesOf(target);
  let answered = 0;
  let failed = 0;
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const endAt = startedAt + ms;
  await Promise.all(
    devices.map(async (device) => {
      while (performance.now() < endAt) {
        try {
          await device.connect();
          answered += 1;
        } catch (error) {
          failed += 1;
          if (failed > devices.length) throw error;
        }
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  return { sent: answered + failed, answered, seconds, cpuSeconds, latencyMs: null, latenessMs: null };
}
