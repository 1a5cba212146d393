/** Our own emulated device as a process. */
import { Child } from "./child.ts";
import { deviceMain } from "./locations.ts";

/** Without a server, `flags` name the bootstrap server. */
export function startDevice(server: string | undefined, endpoint: string, flags: readonly string[] = []): Child {
  const where = server === undefined ? [] : ["--server", server];
  return new Child(`device ${endpoint}`, process.execPath, [deviceMain, ...where, "--endpoint", endpoint, ...flags]);
}
