/** The collections of a server world: what its features keep. */
import { deviceCollection } from "../devices/device-store.ts";
import { linkProfileCollection } from "../devices/link-profile-service.ts";
import { toleranceCollection } from "../devices/tolerance-log.ts";
import { eventsDefinition } from "../events/event-log.ts";
import { packageCollection } from "../firmware/package-store.ts";
import { updateCollection } from "../firmware/update-store.ts";
import { groupCollection, groupMemberCollection } from "../groups/group-store.ts";
import { traitCollection, traitCursorCollection } from "../groups/trait-store.ts";
import { idempotencyCollection } from "../http/idempotency.ts";
import { modelCollection } from "../models/model-store.ts";
import { observationCollection } from "../observations/observation-store.ts";
import { pauseCollection } from "../observations/restart-watch.ts";
import { standingCollection, standingDeviceCollection } from "../observations/standing-store.ts";
import { writtenAttributeCollection } from "../observations/written-attributes.ts";
import { operationCollection } from "../operations/operation-store.ts";
import { objectProfileCollection } from "../registration/object-profiles.ts";
import { registrationCollection } from "../registration/registration-store.ts";
import { clearTextCollection, sealingKeyCollection } from "../security/sealed-documents.ts";
import { sendSettingCollection } from "../sending/send-setting-store.ts";
import type { CollectionDefinition } from "../storage/collection.ts";
import { processCollection } from "../storage/process-owner.ts";
import { tracedDeviceCollection } from "../trace/trace-service.ts";
import { desiredCollection } from "../twin/desired-store.ts";
import { twinCollection } from "../twin/twin-store.ts";

/** Those whose documents carry events. */
export const withOutbox = [
  deviceCollection,
  registrationCollection,
  operationCollection,
  observationCollection,
  standingCollection,
  twinCollection,
  desiredCollection,
  updateCollection,
];

export const worldCollections: readonly CollectionDefinition[] = [
  ...withOutbox,
  processCollection,
  standingDeviceCollection,
  writtenAttributeCollection,
  pauseCollection,
  groupCollection,
  groupMemberCollection,
  traitCollection,
  traitCursorCollection,
  sendSettingCollection,
  eventsDefinition,
  idempotencyCollection,
  packageCollection,
  modelCollection,
  linkProfileCollection,
  objectProfileCollection,
  tracedDeviceCollection,
  toleranceCollection,
  clearTextCollection,
  sealingKeyCollection,
];
