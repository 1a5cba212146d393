/** Keeps the attributes that observations are said to have true to what is written to devices. */
import { formatPath } from "@lwm2m/protocol/lwm2m/path";
import type { Operation } from "../operations/operation.ts";
import type { Registration } from "../registration/registration.ts";
import type { Store } from "../storage/store.ts";
import { attributesInForce, changesOf, type InForce, isAbove, ownAttributes, type WrittenLevels } from "./attributes-in-force.ts";
import type { HeldRelations } from "./held-relations.ts";
import { observedPaths, type Relation } from "./observation.ts";
import type { GrantedObservation, ObservationStore } from "./observation-store.ts";
import { WrittenAttributes } from "./written-attributes.ts";

type Granted = Omit<GrantedObservation, "inForce" | "relation"> & { readonly relation: Relation };
type Attributes = NonNullable<Operation["attributes"]>;

export class ObservedAttributes {
  readonly #written: WrittenAttributes;
  readonly #observations: ObservationStore;
  readonly #held: HeldRelations;

  constructor(store: Store, observations: ObservationStore, held: HeldRelations) {
    this.#written = new WrittenAttributes(store);
    this.#observations = observations;
    this.#held = held;
  }

  /** Of a relation that the device has just granted. What its Observe did not carry was written to its paths before. */
  async granted(registration: Registration, granted: Granted): Promise<InForce | null> {
    const { attributes, relation } = granted;
    const isWritten = attributes !== null && relation.query === undefined;
    const paths = observedPaths(granted).flatMap((path) => (path === "/" ? [] : [formatPath(path)]));
    const levels = isWritten
      ? await this.#written.note(registration, paths, changesOf(attributes))
      : await this.#written.find(registration);
    return inForceOf(granted, levels);
  }

  /** A Write-Attributes was taken. True: what an observation wishes at its own path is another thing now. */
  async noteWritten(registration: Registration, path: string, attributes: Attributes): Promise<boolean> {
    const changes = changesOf(attributes);
    const levels = await this.#written.note(registration, [path], changes);
    let isOther = false;
    for (const observation of await this.#observations.ofDevice(registration._id)) {
      const { _id, relation } = observation;
      if (relation?.registeredAt !== registration.registeredAt || !isAbove(path, observation)) continue;
      const asked = { ...observation, relation };
      const own = ownAttributes(asked, path, changes);
      const inForce = inForceOf({ ...asked, attributes: own }, levels);
      await this.#observations.noteAttributes(_id, relation.token, { attributes: own, inForce });
      this.#held.expect(_id, relation.token, inForce, registration);
      isOther ||= own !== observation.attributes;
    }
    return isOther;
  }

  forget(endpoint: string): Promise<void> {
    return this.#written.forget(endpoint);
  }
}

function inForceOf(asked: Parameters<typeof attributesInForce>[0], levels: WrittenLevels): InForce | null {
  const inForce = attributesInForce(asked, levels);
  return Object.keys(inForce).length === 0 ? null : inForce;
}
