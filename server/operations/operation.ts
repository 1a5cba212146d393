/** The operation resource: everything the server does to a device is one, whether the device is awake or asleep. */
import type { WithOutbox } from "../events/event.ts";
import type { Json } from "../storage/collection.ts";
import type { Claim } from "../storage/process-owner.ts";

export type OperationKind =
  | "read"
  | "write"
  | "writeAttributes"
  | "execute"
  | "create"
  | "delete"
  | "discover"
  | "observe"
  | "cancelObserve"
  | "readComposite"
  | "writeComposite"
  | "observeComposite";

/**
 *   queued -> leased            claimed, about to be sent or in the air; may be sent again after a crash
 *   queued -> sent              the same for Execute and Create, which must not happen twice
 *   leased | sent -> succeeded | failed
 *   leased | sent -> queued     never left, or no answer, attempts left and harmless to repeat
 *   queued -> expired           expiresAt passed
 *   queued -> cancelled         by the caller
 *
 * `operation-machine.ts` has every transition.
 */
export type OperationStatus = "queued" | "leased" | "sent" | "succeeded" | "failed" | "expired" | "cancelled";

export const finalStatuses: readonly OperationStatus[] = ["succeeded", "failed", "expired", "cancelled"];

/** Why it failed; `outcome-unknown`: an Execute left, and nothing tells whether it ran. */
export type OperationReason =
  | "device-rejected"
  | "no-answer"
  | "response-timeout"
  | "reset"
  | "invalid-response"
  | "outcome-unknown"
  | "not-registered"
  | "device-unreachable"
  | "path-not-in-model"
  | "not-in-device-version"
  | "not-observing";

export interface OperationRequest {
  readonly kind: OperationKind;
  /** `/3/0/9`; named paths are resolved at the door. `/` of what names several: composite operations and the end of their observation. */
  readonly path: string;
  /** readComposite, observeComposite, and cancelObserve of the latter: what is asked for; `/` is everything the device has. */
  readonly paths?: readonly string[];
  /** writeComposite: by path, each as `value` of a write; null removes a resource instance. */
  readonly values?: { readonly [path: string]: Json };
  /** write: the value of a resource, `{ "<id or name>": value }` of an instance, `{ "<id>": value }` of a multi-instance resource. create: the same for the new instance. */
  readonly value?: Json;
  /** write of an instance: `replace` (PUT, default) or `update` (POST). */
  readonly mode?: "replace" | "update";
  /** create: the instance id wanted; without one the device chooses. */
  readonly instanceId?: number;
  /** create, in place of `value`: several instances at once, each by its id as `value` of one. */
  readonly instances?: { readonly [instanceId: string]: Json };
  /** execute: as the device gets them, `0='U'`, or one by one. */
  readonly arguments?: string | readonly ExecuteArgument[];
  /** discover: how many levels below the path; without it the device's own rule (LwM2M Core 1.2 §6.3.3). */
  readonly depth?: number;
  /** writeAttributes, observe and observeComposite: pmin, pmax, gt, lt, st, epmin, epmax, edge, con, hqmax; null removes one. */
  readonly attributes?: { readonly [name: string]: number | null };
  /** Default `queue`. */
  readonly onOffline?: "queue" | "fail";
  /** Execute only: allow a repetition after no answer. */
  readonly retryExecute?: boolean;
  /** Epoch milliseconds. */
  readonly notBefore?: number;
  /** Epoch milliseconds; default from the settings (7 days). */
  readonly expiresAt?: number;
  /** A newer queued operation with the same key cancels the older. */
  readonly supersedeKey?: string;
  /** 0 to 9, the higher first; default 5. Nothing overtakes an earlier operation on the same paths. */
  readonly priority?: number;
  /** Not by the API: how often a restart of the device may cut it off before it fails; default 5. */
  readonly maxInterruptions?: number;
}

export interface ExecuteArgument {
  /** 0 to 9, each once. */
  readonly digit: number;
  /** Printable ASCII without space, quotes and backslash. */
  readonly value?: string;
}

/** Of an operation that does not say. */
export const usualPriority = 5;

export interface Attempt {
  readonly at: number;
  /** Of the exchange, which may have carried others too. */
  readonly token: string;
  /** How many operations the exchange carried; absent of one alone. Bytes and round trip are those of the whole exchange. */
  readonly sharedBy?: number;
  readonly roundTripMs: number | null;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly outcome: string;
}

/** What a finished operation brought, by kind. */
export type OperationResult =
  | {
      readonly kind: "values";
      readonly values: readonly ResultValue[];
      /** Of a composite operation: paths the device was asked for and says nothing of. */
      readonly missing?: readonly string[];
    }
  /** Of several instances the first, and all of them. */
  | { readonly kind: "created"; readonly path: string; readonly paths?: readonly string[] }
  | { readonly kind: "links"; readonly links: readonly DiscoveredLink[] }
  | { readonly kind: "done" };

export interface DiscoveredLink {
  readonly path: string;
  readonly name?: string;
  /** As the device wrote them. */
  readonly attributes: { readonly [name: string]: string | true };
  /** Those the specification knows, attached at this path. */
  readonly attached: LinkFacts;
  /** The notification attributes that hold here: its own, and of each level above what that does not name. */
  readonly effective: { readonly [name: string]: number };
}

/** Notification attributes by name, and what else LwM2M says of a path (LwM2M Core 1.1 §5.1.2). */
export interface LinkFacts {
  readonly notification: { readonly [name: string]: number };
  /** Resource instances. */
  readonly dimension?: number;
  readonly version?: string;
  readonly shortServerId?: number;
  readonly serverUri?: string;
}

export interface ResultValue {
  readonly path: string;
  /** `device/0/batteryLevel`; absent where no model knows the path. */
  readonly name?: string;
  /** Absent for an empty instance or multi-instance resource. */
  readonly type?: string;
  readonly value?: Json;
  /** The device said it, and nobody is to see it: the value is null. */
  readonly isSecret?: true;
  /** Epoch milliseconds, when the device said it. */
  readonly timeMs?: number;
}

export interface Operation extends WithOutbox, OperationRequest {
  /** A ULID: sorts by creation. */
  readonly _id: string;
  readonly endpoint: string;
  readonly status: OperationStatus;
  /** Who sends it, or sent it last; absent: never claimed, or by an earlier version. */
  readonly claim?: Claim;
  readonly reason: OperationReason | null;
  /** A plain sentence for people. */
  readonly detail: string | null;
  readonly coapCode: string | null;
  readonly result: OperationResult | null;
  readonly attempts: readonly Attempt[];
  readonly createdBy: string;
  readonly traceId: string;
  readonly queuedAt: number;
  readonly expiresAt: number;
  readonly sentAt: number | null;
  readonly finishedAt: number | null;
  /** False once final: the partial index of open operations. */
  readonly open: boolean;
  readonly rev: number;
}

export type CreateRefusal =
  | { readonly reason: "device-unknown"; readonly detail: string }
  | { readonly reason: "device-unreachable"; readonly detail: string }
  | { readonly reason: "path-not-in-model"; readonly detail: string }
  | { readonly reason: "operation-not-allowed"; readonly detail: string }
  | { readonly reason: "not-in-device-version"; readonly detail: string }
  | { readonly reason: "value-type-mismatch"; readonly detail: string; readonly pointer: string }
  | { readonly reason: "queue-full"; readonly detail: string; readonly retryAfterSeconds: number };

export type CreateOutcome = { readonly ok: true; readonly operation: Operation } | { readonly ok: false; readonly refusal: CreateRefusal };

/** What the doors and the features above (observations, firmware) call; implemented by `operation-service.ts`. */
export interface Operations {
  /**
   * Durable when it resolves; sent at once when the device is awake, at its next sign of life otherwise. With `by.id` (a ULID the
   * caller made and stored first) a repeated call returns the operation that exists instead of a second one.
   */
  create(
    endpoint: string,
    request: OperationRequest,
    by: { readonly actor: string; readonly traceId: string; readonly id?: string },
  ): Promise<CreateOutcome>;
  /** Resolves when the operation is final, or with its present state when the time is up. */
  waitFor(id: string, timeoutMs: number, signal?: AbortSignal): Promise<Operation | undefined>;
  find(id: string): Promise<Operation | undefined>;
  /** Newest first, after an id. */
  list(query: {
    readonly endpoint?: string;
    readonly open?: boolean;
    readonly limit: number;
    readonly after?: string;
  }): Promise<readonly Operation[]>;
  /** Only what has not been sent. */
  cancel(
    id: string,
  ): Promise<
    { readonly ok: true; readonly operation: Operation } | { readonly ok: false; readonly reason: "operation-unknown" | "conflict" }
  >;
  /** After the operation became final and durable. */
  onFinished(listener: (operation: Operation) => void): void;
}
