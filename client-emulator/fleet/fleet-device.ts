/** One device of a light fleet: what it has to remember, and nothing it can derive from its number. */
import type { Peer, ServedObservation } from "@lwm2m/protocol/coap/message";
import type { CompositePath } from "@lwm2m/protocol/lwm2m/senml-etch";

export interface FleetDevice {
  readonly index: number;
  readonly endpointName: string;
  /** The server, as this device's socket sees it. */
  readonly server: Peer;
  /** Undefined while it is not registered. */
  location: readonly string[] | undefined;
  relations: FleetRelation[];
  /** How often its temperature has changed. */
  changes: number;
  /** One exchange of each kind at a time. */
  registering: boolean;
  updating: boolean;
  sending: boolean;
  /** In queue mode: deaf from then on, milliseconds of the clock. */
  awakeUntil: number;
}

export interface FleetRelation {
  readonly device: FleetDevice;
  readonly served: ServedObservation;
  readonly targets: readonly CompositePath[];
  readonly contentFormat: number;
  notifying: boolean;
}

export function makeDevice(index: number, endpointName: string, server: Peer): FleetDevice {
  return {
    index,
    endpointName,
    server,
    location: undefined,
    relations: [],
    changes: 0,
    registering: false,
    updating: false,
    sending: false,
    awakeUntil: 0,
  };
}
