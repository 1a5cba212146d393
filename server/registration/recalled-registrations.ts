/** Where devices were when this process did not listen, and which of them listen still: read at the start, and when another process is gone. */
import type { AwakeWindows, Heard } from "./awake-windows.ts";
import type { DeviceAddresses } from "./device-addresses.ts";
import type { RegistrationStore, StoredRegistration } from "./registration-store.ts";

/** All but those that are at home at another process. Of several at one address (NoSec) the one that was heard last owns it. */
export async function recallRegistrations(
  store: Pick<RegistrationStore, "findLast" | "liveHere">,
  addresses: DeviceAddresses,
  windows: Pick<AwakeWindows, "wouldListen" | "recall">,
  remember: (registration: StoredRegistration, ownsAddress: boolean) => void,
): Promise<void> {
  const heard: Heard[] = [];
  for await (const registration of store.liveHere()) {
    const other = addresses.endpointAt(registration.address);
    const otherAt = other === undefined ? 0 : ((await store.findLast(other))?.updatedAt ?? 0);
    remember(registration, otherAt <= registration.updatedAt);
    const last = { endpoint: registration._id, at: registration.updatedAt };
    if (windows.wouldListen(last)) heard.push(last);
  }
  windows.recall(heard);
}
