/** What the planner of a wake-up looks at: the operations that wait for a device and are due, and what the device can. */
import type { Lwm2mPath } from "@lwm2m/protocol/lwm2m/path";

export interface Waiting {
  /** Sorts by creation. */
  readonly id: string;
  /** 0 to 9, the higher first. */
  readonly priority: number;
  /** Of several with the same key only the newest is sent. */
  readonly supersedeKey?: string;
  /** How its order towards others on the same paths matters. */
  readonly role: Role;
  readonly touches: readonly Lwm2mPath[];
  readonly asks: Asked;
  /** Never together with others: the device refused it in such an exchange, or said nothing of it. */
  readonly alone: boolean;
  /** Its exchange when nothing is merged into it. */
  readonly load: Load;
}

/**
 * `looks`: a read or discover; `listens`: observe, its end, attributes; `changes`: write, create, delete; `acts`: execute, of which nobody
 * knows what else it does.
 */
export type Role = "looks" | "listens" | "changes" | "acts";

export type Asked =
  | { readonly kind: "read"; readonly paths: readonly Lwm2mPath[] }
  /** Resources of one value each, `bytes` the size of the value. */
  | { readonly kind: "write"; readonly values: readonly SizedValue[] }
  /** Goes by itself. */
  | { readonly kind: "other" };

export interface SizedValue {
  readonly path: Lwm2mPath;
  readonly bytes: number;
  /** Equal of equal values; without it nobody knows. */
  readonly text?: string;
}

/** One exchange in bytes: options without header and token, and bodies. */
export interface Load {
  readonly requestOptions: number;
  readonly requestBody: number;
  readonly responseBody: number;
}

/** Several operations in one request: a Read or a Read-Composite, an update of an instance or a Write-Composite. */
export type MergedForm = "read" | "readComposite" | "writeInstance" | "writeComposite";
export type ExchangeForm = "single" | MergedForm;

export interface DeviceAbilities {
  /** What it takes several operations in; the rest its version has not got, or it refused. */
  readonly forms: ReadonlySet<MergedForm>;
  /** Operations, and paths, in one request. */
  readonly mostTogether: number;
  readonly blockSizeBytes: number;
  /** Milliseconds; measured, or what its link is given. */
  readonly roundTripMs: number;
  /** Undefined: it never sleeps. */
  readonly window?: AwakeWindow;
  readonly sizes: AnswerSizes;
}

/** Each answer starts it again (LwM2M Core 1.1 §6.5). */
export interface AwakeWindow {
  readonly lengthMs: number;
  /** How much of it is left; all of it for a device that sleeps. */
  readonly restMs: number;
  /** What went over in this wake-up already. */
  readonly exchanges: number;
  readonly bytes: number;
  /** Bytes both ways in one wake-up; undefined: any. */
  readonly budgetBytes?: number;
}

/** How large the answer to a Read of a path is: of last known values, guessed where there are none. */
export interface AnswerSizes {
  likely(path: Lwm2mPath): number;
  /** With every resource the object model has; undefined where nobody knows. */
  atMost(path: Lwm2mPath): number | undefined;
}
