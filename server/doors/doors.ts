/** The doors devices come in by: LwM2M and bootstrap, each plain and secured. */
import { join } from "node:path";
import { type ChosenCrypto, chooseDtlsCrypto } from "@lwm2m/protocol/platform/dtls-crypto";
import { openDtlsJournalFile } from "@lwm2m/protocol/platform/dtls-journal-file";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { EventLog } from "../events/event.ts";
import type { Log } from "../log.ts";
import { type KeyLogFile, openKeyLogFile } from "../platform/key-log-file.ts";
import type { DeviceCredentials } from "../security/device-credentials.ts";
import type { SecretBox } from "../security/secret-box.ts";
import type { Settings } from "../settings/config.ts";
import { StartError } from "../start-error.ts";
import type { Supervisor } from "../supervisor.ts";
import { bindCoapDoor, type CoapDoor } from "./coap-door.ts";

export interface DoorsDeps {
  readonly settings: Settings;
  readonly log: Log;
  readonly supervisor: Supervisor;
  readonly events: EventLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly secrets: SecretBox;
  readonly credentials: DeviceCredentials;
  /** Whatever was opened is handed over at once. */
  readonly onOpened: (what: string, close: () => Promise<void>) => void;
}

export interface Doors {
  readonly coap: CoapDoor;
  readonly bootstrap: CoapDoor;
  openAll(): void;
}

/** Rejects with `StartError`. */
export async function bindDoors(deps: DoorsDeps): Promise<Doors> {
  const { settings, secrets, onOpened, credentials, log } = deps;
  const crypto = chooseCrypto(settings);
  const keyLog = await openKeyLog(deps);
  if (keyLog !== undefined) onOpened("key log", () => keyLog.close());
  const logKey = keyLog === undefined ? {} : { logKey: (line: string) => keyLog.write(line) };
  const [journalKey, ...formerKeys] = secrets.derivedKeys("dtls journal");
  if (journalKey === undefined) throw new Error("no secret key is there");
  const store = await openDtlsJournalFile(join(settings.dataDir, "dtls"));
  const coap = await bindCoapDoor({
    ...deps,
    ...{ door: "coap", port: settings.coapPort, portSetting: "COAP_PORT" },
    secured: {
      ...{ door: "coaps", realm: "server", port: settings.coapsPort, portSetting: "COAPS_PORT" },
      ...{ credentials, journal: { store, key: journalKey, formerKeys }, ...logKey },
    },
  });
  onOpened("CoAP endpoint", () => coap.close());
  const bootstrap = await bindCoapDoor({
    ...deps,
    ...{ door: "bootstrap-coap", port: settings.bootstrapCoapPort, portSetting: "BOOTSTRAP_COAP_PORT" },
    // Without a journal: a device bootstraps in one go and begins anew when that fails.
    secured: {
      ...{ door: "bootstrap-coaps", realm: "bootstrap", port: settings.bootstrapCoapsPort, portSetting: "BOOTSTRAP_COAPS_PORT" },
      ...{ credentials, ...logKey },
    },
  });
  onOpened("bootstrap CoAP endpoint", () => bootstrap.close());
  return {
    coap,
    bootstrap,
    openAll() {
      log.info("the back end of DTLS cryptography", { backEnd: crypto.name, reason: crypto.reason });
      coap.open();
      bootstrap.open();
    },
  };
}

function chooseCrypto({ dtlsCrypto }: Settings): ChosenCrypto {
  try {
    return chooseDtlsCrypto(dtlsCrypto);
  } catch (error) {
    throw new StartError(`DTLS_CRYPTO: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function openKeyLog({ settings: { dtlsKeyLogFile }, log }: DoorsDeps): Promise<KeyLogFile | undefined> {
  if (dtlsKeyLogFile === undefined) return undefined;
  const onError = (error: unknown): void => log.error("the key log cannot be written", { error });
  const file = await openKeyLogFile(dtlsKeyLogFile, onError).catch((error: unknown) => {
    throw new StartError(`DTLS_KEY_LOG_FILE: ${error instanceof Error ? error.message : String(error)}`);
  });
  log.warn(
    "DTLS_KEY_LOG_FILE IS SET: the keys of every connection are written to a file, and whoever reads it reads all that devices say",
    {
      file: dtlsKeyLogFile,
    },
  );
  return file;
}
