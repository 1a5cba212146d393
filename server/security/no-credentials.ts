/** Of a server whose devices have no credentials: every handshake fails, every name may come without. */
import type { DeviceCredentials } from "./device-credentials.ts";

export const noCredentials: DeviceCredentials = {
  serverCredentials: () => ({ realmOf: () => ({ findPsk: () => undefined }) }),
  endpointFor: async () => ({ kind: "unknown" }),
  isSecured: async () => false,
  onRemoved: () => {},
};
