/** A live registration of a device with this server (LwM2M Core 1.1 §6.2). */
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import type { WithOutbox } from "../events/event.ts";
import type { RegisteredIdentity } from "./registered-identity.ts";

export interface Registration extends WithOutbox {
  /** The endpoint name. */
  readonly _id: string;
  /** Unguessable; the path below `/rd` the device updates. Unique. */
  readonly locationId: string;
  /** With the association of a device that registered over DTLS, also when that is gone: then nothing that is sent there leaves. */
  readonly address: SocketAddress;
  /** The process it last spoke to, on a store that several share. */
  readonly owner?: string;
  readonly identity: RegisteredIdentity;
  /** `1.0`, `1.1`, `1.2` */
  readonly lwm2mVersion: string;
  readonly lifetimeSeconds: number;
  readonly binding: string;
  readonly queueMode: boolean;
  readonly smsNumber?: string;
  /** Query parameters nobody knows, kept. */
  readonly extraParameters: { readonly [name: string]: string };
  /** Alternate path without slashes at the ends, "" for none. */
  readonly rootPath: string;
  /** Content formats the client says it supports, empty when it did not say. */
  readonly contentFormats: readonly number[];
  readonly objects: readonly RegisteredObject[];
  /** Deviations that were accepted, as stable codes. */
  readonly tolerances: readonly string[];
  readonly registeredAt: number;
  readonly updatedAt: number;
  /** Epoch milliseconds; null: never (lifetime 0). */
  readonly expiresAt: number | null;
  /** Since when the credential it registered with is not valid any more, epoch milliseconds: its next message will not be heard. */
  readonly barredAt?: number | null;
  readonly rev: number;
}

export interface RegisteredObject {
  readonly id: number;
  /** As registered or implied by the enabler version. */
  readonly version: string;
  readonly instances: readonly number[];
}

/** `signal`: what it was. */
export type SignListener = (endpoint: string, kind: "registered" | "contact", signal: ContactSignal) => void;
export type ContactSignal = "register" | "update" | "send" | "notify" | "answer";
export type MoveListener = (registration: Registration) => Promise<void>;
export type DisconnectListener = (endpoint: string) => void;
export type GoneListener = (endpoint: string, reason: "deregistered" | "expired") => void;

/** What other features need of registrations; implemented by `registration-service.ts`. */
export interface Registrations {
  find(endpoint: string): Promise<Registration | undefined>;
  /** The last registration, live or gone: what was last known of the device. */
  findLast(endpoint: string): Promise<Registration | undefined>;
  /**
   * Called after the reply left, for every sign of life: Register, Update, Notify, Send, any answer. `kind` tells a fresh
   * registration (observations are void) from a mere contact.
   */
  onSignOfLife(listener: SignListener): void;
  /** The device went away: de-registered or expired. */
  onGone(listener: GoneListener): void;
  /**
   * The device is another peer now: an Update from another address, or a new secured connection. The reply waits for the listeners, so
   * that the device is heard from there once it has it.
   */
  onMoved(listener: MoveListener): void;
  /** The secured connection of the device is gone: what is under way will not be answered, and nothing can be sent before it comes back. */
  onDisconnected(listener: DisconnectListener): void;
  /** Registered, connected if it is secured, and either not in queue mode or within its awake window. */
  isAwake(endpoint: string): boolean;
  /** Since when and until when a device in queue mode listens, epoch milliseconds; undefined of one that sleeps, and of one that never does. */
  awakeWindow(endpoint: string): { readonly since: number; readonly until: number } | undefined;
  /** False for a device whose secured connection is gone: the server makes none (LwM2M Transport 1.1 §5.2), the device has to come back. */
  isConnected(endpoint: string): boolean;
  /** Lifetime end or the next update that the device's habit suggests; epoch milliseconds, undefined when unknown. */
  nextExpectedContact(registration: Registration): number | undefined;
  /** A notification, an answer: extends the awake window, tells the listeners. */
  noteContact(endpoint: string, signal?: "send" | "notify" | "answer"): void;
  /** A request went unanswered: a queue-mode device is asleep from now on. */
  noteUnreachable(endpoint: string): void;
}
