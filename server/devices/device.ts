/** The registry entry of a device: it stays when the registration goes. */
import type { WithOutbox } from "../events/event.ts";
import type { Json } from "../storage/collection.ts";

export interface Device extends WithOutbox {
  /** The endpoint name. */
  readonly _id: string;
  readonly createdAt: number;
  /** The last sign of life, at most a minute behind while the server runs. */
  readonly lastSeenAt: number;
}

/** What other features need of the registry; implemented by `device-service.ts`. */
export interface Devices {
  /** Durable when it resolves; the first call for an endpoint name makes the entry and its `device.created` event. */
  ensure(endpoint: string): Promise<void>;
  find(endpoint: string): Promise<Device | undefined>;
  isKnown(endpoint: string): Promise<boolean>;
  /** By endpoint name, after one of them. */
  list(query: { readonly limit: number; readonly after?: string }): Promise<readonly Device[]>;
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
