/**
 * What a device gets at bootstrap: its accounts, as Security (/0) and Server (/1) instances (LwM2M Core 1.1 §6.1, appendix E.1, E.2).
 * The JSON form is the one of the REST API and of the configuration file; key material in it is base64, a PSK identity is text.
 */

export type SecurityMode = "psk" | "rpk" | "x509" | "noSec" | "est";

export interface SecurityInstance {
  /** Without one the device's own numbering is asked for: nothing may overwrite the bootstrap account by chance. */
  readonly instanceId?: number;
  /** `coap://host:port` or `coaps://…`; 255 bytes at most. */
  readonly serverUri: string;
  /** The account of a bootstrap server: replaces the one the device used. At most one, without Short Server ID. */
  readonly bootstrapServer: boolean;
  readonly mode: SecurityMode;
  /** PSK identity, certificate or raw public key of the device (/0/x/3). */
  readonly identity?: Uint8Array;
  /** /0/x/4. */
  readonly serverPublicKey?: Uint8Array;
  /** PSK or private key (/0/x/5). */
  readonly secretKey?: Uint8Array;
  /** 1–65,534; ties the account to its Server instance. */
  readonly shortServerId?: number;
  readonly holdOffSeconds?: number;
  /** Seconds after which the device drops this bootstrap account; 0 keeps it. */
  readonly bootstrapTimeoutSeconds?: number;
  readonly matchingType?: number;
  readonly serverName?: string;
  readonly certificateUsage?: number;
}

export interface ServerInstance {
  readonly instanceId?: number;
  /** 1–65,534. */
  readonly shortServerId: number;
  readonly lifetimeSeconds: number;
  readonly binding: string;
  readonly notificationStoring: boolean;
  readonly defaultMinPeriodSeconds?: number;
  readonly defaultMaxPeriodSeconds?: number;
  readonly disableTimeoutSeconds?: number;
  readonly muteSend?: boolean;
}

export interface BootstrapConfig {
  /** Removed first, in this order: `/`, `/1`, `/1/0`. */
  readonly deletes: readonly string[];
  readonly security: readonly SecurityInstance[];
  readonly servers: readonly ServerInstance[];
}

/** Where configurations come from: the store of the server, a file. */
export interface BootstrapConfigs {
  find(endpointName: string): Promise<BootstrapConfig | undefined>;
}

/** Old accounts go, or a device that moves would keep trying them. */
export const usualDeletes: readonly string[] = ["/0", "/1"];

/** Registrations of a day: the value a device has without configuration (LwM2M Core 1.1 §6.2.1). */
export const usualLifetimeSeconds = 86_400;
