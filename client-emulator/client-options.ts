/** What a client is told from outside: who it is, whom it talks to, and the world it runs in. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import type { KeyForm } from "@lwm2m/protocol/dtls/crypto/node-record-protection";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { DatagramSocket } from "@lwm2m/protocol/ports/datagram-socket";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { StoredValue } from "./bootstrap/stored-accounts.ts";
import type { FirmwareSettings } from "./firmware/firmware-runtime.ts";
import type { Lwm2mVersion } from "./objects/object-versions.ts";
import type { DtlsClientSettings } from "./security/dtls-client-settings.ts";
import type { SecurityCredential } from "./security/security-credential.ts";

export interface Lwm2mClientOptions {
  readonly endpointName: string;
  /** `coap://…` or `coaps://…` of the LwM2M server; may be left out when `bootstrapUri` is given. */
  readonly serverUri?: string | undefined;
  readonly bootstrapUri?: string | undefined;
  /** With a `coaps` URI; default `noSecurity`. */
  readonly serverCredential?: SecurityCredential | undefined;
  readonly bootstrapCredential?: SecurityCredential | undefined;
  /** Certificates, DER, that certificate usages 0 and 1 lead to. */
  readonly trustAnchors?: readonly Uint8Array[] | undefined;
  /** Default `usualDtls`. */
  readonly dtls?: DtlsClientSettings | undefined;
  /** Default bytes; some versions of Node take them at more cost than key objects. */
  readonly recordKeyForm?: KeyForm | undefined;
  readonly registry: ObjectRegistry;
  readonly clock: Clock;
  readonly random: Random;
  /** A socket of its own for each endpoint: one for the server, one for each download. `remote` is whom it shall reach, if known. */
  readonly openSocket: (remote: string | undefined) => Promise<DatagramSocket>;
  /** The address of a host name or literal; undefined when there is none. */
  readonly resolveHost: (host: string) => Promise<string | undefined>;
  readonly settings: ClientSettings;
  /** What survived the last run. */
  readonly stored?: StoredDevice | undefined;
  readonly store?: (state: StoredDevice) => void;
  readonly log?: (message: string, level: LogLevel) => void;
  /** A fault of this program, not of its peer. */
  readonly onBug?: (error: unknown) => void;
}

/** `detail`: each request that is served. */
export type LogLevel = "event" | "detail";

export interface ClientSettings {
  readonly lwm2mVersion: Lwm2mVersion;
  readonly lifetimeSeconds: number;
  readonly binding: string;
  readonly queueMode: boolean;
  /** How long the device listens after its last message in queue mode. */
  readonly awakeSeconds: number;
  /** In queue mode, from one Update to the next; undefined: as the lifetime asks. */
  readonly sleepSeconds: number | undefined;
  /** Where the server leaves the format to the client. */
  readonly preferredFormat: number;
  readonly firmwareVersion: string;
  readonly firmware: FirmwareSettings;
  /** How long the device is gone when it reboots. */
  readonly rebootSeconds: number;
  readonly sensors: number;
  readonly sensorIntervalSeconds: number;
  /** Between two Sends of all temperatures (LwM2M Core 1.1 §6.4.6); 0: none. */
  readonly sendIntervalSeconds: number;
  /** Every n-th notification is confirmable; 1: all. */
  readonly confirmEvery: number;
}

/** What the flash of the device keeps over a power cut. */
export interface StoredDevice {
  readonly firmwareName?: string;
  readonly firmwareVersion?: string;
  /** What a bootstrap server wrote, keys included. */
  readonly accounts?: readonly StoredValue[];
}

export const usualSettings: ClientSettings = {
  lwm2mVersion: "1.1",
  lifetimeSeconds: 300,
  binding: "U",
  queueMode: false,
  awakeSeconds: 93,
  sleepSeconds: undefined,
  preferredFormat: 112,
  firmwareVersion: "1.0.0",
  firmware: { flashBytes: 4_194_304, failUpdate: undefined, failDownload: undefined },
  rebootSeconds: 3,
  sensors: 1,
  sensorIntervalSeconds: 5,
  sendIntervalSeconds: 0,
  confirmEvery: 10,
};
