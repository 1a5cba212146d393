/** The flash of the device: what outlives a power cut, saved whole with every change. */
import { storeAccounts } from "./bootstrap/stored-accounts.ts";
import type { StoredDevice } from "./client-options.ts";
import type { FirmwarePackage } from "./firmware/package-format.ts";
import type { ObjectTree } from "./tree/object-tree.ts";

export class DeviceMemory {
  #kept: StoredDevice;
  readonly #save: (state: StoredDevice) => void;

  constructor(stored: StoredDevice | undefined, save: (state: StoredDevice) => void) {
    this.#kept = stored ?? {};
    this.#save = save;
  }

  /** Undefined: the firmware it was made with. */
  get firmware(): FirmwarePackage | undefined {
    const { firmwareName, firmwareVersion } = this.#kept;
    if (firmwareName === undefined || firmwareVersion === undefined) return undefined;
    return { name: firmwareName, version: firmwareVersion, contentBytes: 0 };
  }

  keepFirmware(image: FirmwarePackage): void {
    this.#keep({ ...this.#kept, firmwareName: image.name, firmwareVersion: image.version });
  }

  /** What a bootstrap server has written. */
  keepAccounts(tree: ObjectTree): void {
    this.#keep({ ...this.#kept, accounts: storeAccounts(tree) });
  }

  forgetAccounts(): void {
    const { accounts: _forgotten, ...rest } = this.#kept;
    this.#keep(rest);
  }

  #keep(state: StoredDevice): void {
    this.#kept = state;
    this.#save(state);
  }
}
