/** The part of an operation that holds a relation open: carried out by the observations, which join at start-up. */
import type { OutgoingRequest, RequestControl } from "@lwm2m/protocol/coap/message";
import type { ObserveOutcome } from "@lwm2m/protocol/coap/observation";
import type { Registration } from "../registration/registration.ts";
import type { Operation } from "./operation.ts";

/** One path, or the paths of a composite observation with `/` as their common one. */
export type ObservedTarget = Pick<Operation, "path" | "paths">;

export interface ObservationExchange {
  /** Asks to observe and, when the device grants it, has stored the relation when it resolves. Never rejects for what the device does. */
  observe(registration: Registration, operation: Operation, request: OutgoingRequest, control: RequestControl): Promise<ObserveOutcome>;
  /** `not-observing`: no relation of this path, or of these paths together, is held. `unanswered`: the device did not confirm; it is told at its next notification. */
  cancel(endpoint: string, target: ObservedTarget): Promise<"cancelled" | "unanswered" | "not-observing">;
  /** The device has taken a Write-Attributes. Said again after a crash it does no harm. */
  noteAttributes(registration: Registration, path: string, attributes: NonNullable<Operation["attributes"]>): Promise<void>;
}
