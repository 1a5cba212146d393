/** What a notification says becomes durable before it is acknowledged; what cannot be read is shown and acknowledged all the same. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import type { IncomingResponse } from "@lwm2m/protocol/coap/message";
import type { ObservationListener } from "@lwm2m/protocol/coap/observation";
import { Lwm2mFormatError } from "@lwm2m/protocol/lwm2m/format-error";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Leniency } from "../devices/leniency.ts";
import { type AskedPaths, valuesIn } from "../operations/answer-values.ts";
import type { Learn } from "../operations/news.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registration, Registrations } from "../registration/registration.ts";

export interface ListenerDeps {
  readonly registry: ObjectRegistry;
  readonly registrations: Registrations;
  readonly clock: Clock;
  readonly learn: Learn;
  readonly leniency: Leniency;
}

export interface Listening {
  readonly registration: Registration;
  /** Each notification carries all that is under it (LwM2M Core 1.1 §6.4.3). */
  readonly asked: AskedPaths;
  readonly accept: number | undefined;
  /** Also when it cannot be read. */
  readonly onHeard: () => void;
  readonly noteFault: (at: number, detail: string) => void;
  readonly onPeerEnd: (last: IncomingResponse | undefined) => void;
}

export function notificationListener(deps: ListenerDeps, listening: Listening): ObservationListener {
  const { registry, registrations, clock, learn, leniency } = deps;
  const { registration, asked, accept, onHeard, noteFault, onPeerEnd } = listening;
  const endpoint = registration._id;
  const model = deviceModel(registry, registration);
  const completeUnder = asked.paths.filter((path) => path !== "/");
  return {
    onNotification: async (response) => {
      const receivedAt = clock.now();
      onHeard();
      try {
        const context = { model, nowMs: receivedAt, strict: leniency.strict };
        const { values, leftOut, tolerances } = valuesIn(response, asked, registration, context, accept);
        leniency.note(endpoint, "notify", tolerances);
        await learn(endpoint, { source: "notify", values, completeUnder, receivedAt });
        if (leftOut !== null) noteFault(receivedAt, leftOut);
      } catch (error) {
        if (!(error instanceof Lwm2mFormatError)) throw error;
        // What cannot be read is acknowledged, or the device would repeat it for ever; the relation stays and the fault is shown.
        noteFault(receivedAt, error.message);
      }
      registrations.noteContact(endpoint, "notify");
    },
    onEnd: (reason, last) => {
      if (reason === "peer-ended") onPeerEnd(last);
    },
  };
}
