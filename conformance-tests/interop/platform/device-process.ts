/** Our own emulated device as a process. */
import { Child } from "./child.ts";
import { deviceMain } from "./locations.ts";

export function startDevice(server: string, endpoint: string, flags: readonly string[] = []): Child {
  return new Child(`device ${endpoint}`, process.execPath, [deviceMain, "--server", server, "--endpoint", endpoint, ...flags]);
}
