import type { OutboxRelay } from "../events/outbox-relay.ts";
import type { Registration, Registrations } from "../registration/registration.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import type { Store } from "../storage/store.ts";
import type { Observation } from "./observation.ts";
import { ObservationStore } from "./observation-store.ts";

export interface RememberedObservation {
  readonly observation: Observation;
  readonly registration: Registration | undefined;
}

/**
 * What an earlier process held. Read it before the CoAP endpoint is opened and open the service in the same turn as the endpoint:
 * a notification that finds no relation is answered RST, and the device ends the relation.
 */
export async function rememberObservations({ registrations, ...stored }: Remembering): Promise<readonly RememberedObservation[]> {
  const remembered: RememberedObservation[] = [];
  for await (const observation of withRelation(stored)) {
    remembered.push({ observation, registration: await registrations.find(observation.endpoint) });
  }
  return remembered;
}

/** Active ones, and those that are only silent. */
async function* withRelation({ store, relay }: Stored): AsyncGenerator<Observation> {
  const observations = new ObservationStore(store, relay);
  yield* observations.inState("active");
  for await (const observation of observations.inState("waiting")) if (observation.relation !== null) yield observation;
}

/** Those of devices that hang on this process, or on one that is gone. */
export async function* observationsLeft({ registrations, owner, ...stored }: Left): AsyncGenerator<RememberedObservation> {
  for await (const observation of withRelation(stored)) {
    const registration = await registrations.find(observation.endpoint);
    const { owner: home } = registration ?? {};
    if (home === undefined || home === owner.name || (await owner.isGone(home))) yield { observation, registration };
  }
}

interface Stored {
  readonly store: Store;
  readonly relay: Pick<OutboxRelay, "writes">;
}

interface Remembering extends Stored {
  readonly registrations: Registrations;
}

interface Left extends Remembering {
  readonly owner: ProcessOwner;
}
