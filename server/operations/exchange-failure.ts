/** What becomes of an operation whose request was not answered, or was answered with what nobody can read. */
import type { RequestFailure } from "@lwm2m/protocol/coap/message";
import type { Registrations } from "../registration/registration.ts";
import type { Attempt } from "./operation.ts";
import { interrupted, type OperationEvent } from "./operation-machine.ts";

/** The reason of an abort signal when this process ends; any other but the next: the device registered anew. */
export const serverStops = "the server stops";
/** The reason when the secured connection is gone. */
export const deviceDisconnected = "the device is disconnected";

const causes: ReadonlyMap<unknown, string> = new Map([
  [serverStops, "the server stopped"],
  [deviceDisconnected, "the secured connection of the device was lost"],
]);

export interface FailedExchange {
  readonly reason: RequestFailure;
  readonly detail?: string;
  /** Undefined: nothing left. */
  readonly attempt: Attempt | undefined;
  readonly signal: AbortSignal;
}

/** Tells the registrations what it says of the device. */
export function failureOf(
  registrations: Pick<Registrations, "noteContact" | "noteUnreachable">,
  endpoint: string,
  { reason, detail = undefined, attempt, signal }: FailedExchange,
): OperationEvent {
  if (signal.aborted) {
    const cause = causes.get(signal.reason) ?? "the device registered anew";
    return attempt === undefined
      ? { kind: "putBack" }
      : { kind: "interrupt", attempt: { ...attempt, outcome: interrupted }, detail: `${cause} while it was under way` };
  }
  if (attempt === undefined || reason === "cancelled" || reason === "queue-full") return { kind: "putBack" };
  if (reason === "no-answer") registrations.noteUnreachable(endpoint);
  // RST, and an answer that breaks the protocol, are signs of life all the same.
  if (reason === "reset" || reason === "invalid-response") registrations.noteContact(endpoint);
  return { kind: "unanswered", attempt, reason, detail: detail ?? null };
}
