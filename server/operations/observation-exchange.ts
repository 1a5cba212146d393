/** The part of an operation that holds a relation open: carried out by the observations, which join at start-up. */
import type { OutgoingRequest, RequestControl } from "@lwm2m/protocol/coap/message";
import type { ObserveOutcome } from "@lwm2m/protocol/coap/observation";
import type { Registration } from "../registration/registration.ts";
import type { Operation } from "./operation.ts";

export interface ObservationExchange {
  /** Asks to observe and, when the device grants it, has stored the relation when it resolves. Never rejects for what the device does. */
  observe(registration: Registration, operation: Operation, request: OutgoingRequest, control: RequestControl): Promise<ObserveOutcome>;
  /** `not-observing`: no relation of this path is held. `unanswered`: the device did not confirm; it is told at its next notification. */
  cancel(endpoint: string, path: string): Promise<"cancelled" | "unanswered" | "not-observing">;
}
