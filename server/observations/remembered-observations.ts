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
export async function rememberObservations(store: Store, registrations: Registrations): Promise<readonly RememberedObservation[]> {
  const remembered: RememberedObservation[] = [];
  for await (const observation of withRelation(store)) {
    remembered.push({ observation, registration: await registrations.find(observation.endpoint) });
  }
  return remembered;
}

/** Active ones, and those that are only silent. */
async function* withRelation(store: Store): AsyncGenerator<Observation> {
  const observations = new ObservationStore(store);
  yield* observations.inState("active");
  for await (const observation of observations.inState("waiting")) if (observation.relation !== null) yield observation;
}

/** Those of devices that hang on this process, or on one that is gone. */
export async function* observationsLeft({ store, registrations, owner }: Left): AsyncGenerator<RememberedObservation> {
  for await (const observation of withRelation(store)) {
    const registration = await registrations.find(observation.endpoint);
    const { owner: home } = registration ?? {};
    if (home === undefined || home === owner.name || (await owner.isGone(home))) yield { observation, registration };
  }
}

interface Left {
  readonly store: Store;
  readonly registrations: Registrations;
  readonly owner: ProcessOwner;
}
