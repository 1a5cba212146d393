/** The registry entry of a device: it stays when the registration goes. */
import type { WithOutbox } from "../events/event.ts";
import type { Json } from "../storage/collection.ts";

export interface Device extends WithOutbox {
  /** The endpoint name. */
  readonly _id: string;
  readonly createdAt: number;
  /** The last sign of life, at most a minute behind while the server runs; `neverSeen` before the first. */
  readonly lastSeenAt: number;
  /** Nobody expected it: it may register, and nothing more, until somebody claims it. */
  readonly state?: "quarantined";
}

export const neverSeen = 0;

/** What other features need of the registry; implemented by `device-service.ts`. */
export interface Devices {
  /** Durable when it resolves; the first call for an endpoint name makes the entry and its `device.created` event. */
  ensure(endpoint: string): Promise<void>;
  find(endpoint: string): Promise<Device | undefined>;
  /** Those that there are, of a page of names. */
  findAll(endpoints: readonly string[]): Promise<readonly Device[]>;
  isKnown(endpoint: string): Promise<boolean>;
  /** Asked at each message of a device. */
  isQuarantined(endpoint: string): boolean;
  /** Undefined: there is no entry. Where several processes share the store, another may have claimed the device or put it in quarantine. */
  look(endpoint: string): Promise<"known" | "quarantined" | undefined>;
  /** By endpoint name, after one of them. */
  list(query: { readonly limit: number; readonly after?: string; readonly state?: "quarantined" }): Promise<readonly Device[]>;
  /** Of somebody who expects the device; false when there is an entry already. */
  create(endpoint: string): Promise<boolean>;
  /** The device is one like any other from now on; false when it is not in quarantine. */
  claim(endpoint: string): Promise<boolean>;
  /** A sign of life; written at most once a minute. */
  noteSeen(endpoint: string): void;
  /** False when there was none. */
  remove(endpoint: string): Promise<boolean>;
}

/** What a feature above the registry adds to the view of a device, and how it lets go of a device that is deleted. */
export interface DeviceFacet {
  /** Fields of the reply to `GET /devices/{endpoint}`. */
  describe(endpoint: string): Promise<{ readonly [field: string]: Json }>;
  /** Ends and deletes what the feature holds for the device; the entry itself goes last. */
  forget(endpoint: string): Promise<void>;
}
