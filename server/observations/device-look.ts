/** Reads what is wished at a device and what is held there, and stores how the wishes stand. */
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import { planOperation } from "../operations/plan-operation.ts";
import { deviceModel } from "../registration/device-model.ts";
import type { Registration, Registrations } from "../registration/registration.ts";
import type { ProcessOwner } from "../storage/process-owner.ts";
import { type DevicePlan, planDevice, type StandingAt } from "./device-wishes.ts";
import type { Look } from "./establisher.ts";
import type { ObservationStore } from "./observation-store.ts";
import type { RestartWatch } from "./restart-watch.ts";
import type { StandingObservation } from "./standing.ts";
import type { StandingStore } from "./standing-store.ts";

export interface DeviceLookDeps {
  readonly store: ObservationStore;
  readonly standings: StandingStore;
  readonly findStanding: (id: string) => Promise<StandingObservation | undefined>;
  readonly registrations: Registrations;
  readonly registry: ObjectRegistry;
  readonly restarts: RestartWatch;
  readonly owner: ProcessOwner;
  readonly clock: Clock;
}

const nothing: DevicePlan = { step: undefined, standpoints: [], left: [], nextAt: undefined, expects: false, faults: [] };

export async function lookAtDevice(deps: DeviceLookDeps, endpoint: string): Promise<Look> {
  const { store, standings, registrations, registry, restarts, clock } = deps;
  const [observations, devices, registration, pause] = await Promise.all([
    store.ofDevice(endpoint),
    standings.ofDevice(endpoint),
    registrations.find(endpoint),
    restarts.find(endpoint),
  ]);
  const rest = { observations, lwm2mVersion: registration?.lwm2mVersion ?? "1.1" };
  // Only the process that the device hangs on asks it, and knows what came of it.
  if (!(await isOurs(deps, registration))) return { ...nothing, ...rest, isAwake: false };
  const wished: StandingAt[] = [];
  for (const device of devices) {
    const standing = await deps.findStanding(device.standing);
    if (standing !== undefined) wished.push({ device, standing });
  }
  const isAwake = registration !== undefined && registrations.isAwake(endpoint);
  const model = deviceModel(registry, registration);
  const plan = planDevice(wished, observations, {
    ...{ registration, isAwake, nowMs: clock.now(), isConnected: registrations.isConnected(endpoint), pausedUntil: pause?.until ?? 0 },
    check: (request) => {
      const planned = registration === undefined ? undefined : planOperation(request, registration, model);
      return planned?.ok === false ? planned.refusal : undefined;
    },
  });
  return { ...plan, ...rest, isAwake };
}

async function isOurs({ owner }: DeviceLookDeps, registration: Registration | undefined): Promise<boolean> {
  return !owner.isShared || registration?.owner === undefined || registration.owner === owner.name || owner.isGone(registration.owner);
}

/** Returns the devices of the wishes that hold nothing there any more, by wish. */
export async function settleLook({ store, standings, clock }: DeviceLookDeps, look: Look): Promise<readonly string[]> {
  const nowMs = clock.now();
  for (const { device, standpoint, heldIn } of look.standpoints) {
    const { state, reason, coapCode, detail, retryAt } = device;
    const isNews = state !== standpoint.state;
    const isSame = !isNews && reason === standpoint.reason && coapCode === standpoint.coapCode && detail === standpoint.detail;
    if (isSame && retryAt === standpoint.retryAt && device.heldIn === heldIn) continue;
    await standings.settle(device, { ...standpoint, heldIn, since: isNews ? nowMs : device.since });
  }
  for (const { observation, detail } of look.faults) {
    if (observation.fault?.detail !== detail) await store.noteFault(observation._id, nowMs, detail);
  }
  for (const device of look.left) await standings.removeDevice(device);
  return look.left.map(({ standing }) => standing);
}
