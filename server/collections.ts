/** The collections of all features: what the store is opened with. */
import { credentialCollection } from "./credentials/credential.ts";
import { serverIdentityCollection } from "./credentials/server-identity.ts";
import { trustAnchorCollection } from "./credentials/trust-anchor.ts";
import { deviceCollection } from "./devices/device-store.ts";
import { linkProfileCollection } from "./devices/link-profile-service.ts";
import { toleranceCollection } from "./devices/tolerance-log.ts";
import { eventsDefinition } from "./events/event-log.ts";
import { packageCollection } from "./firmware/package-store.ts";
import { updateCollection } from "./firmware/update-store.ts";
import { groupCollection, groupMemberCollection } from "./groups/group-store.ts";
import { traitCollection, traitCursorCollection } from "./groups/trait-store.ts";
import { idempotencyCollection } from "./http/idempotency.ts";
import { modelCollection } from "./models/model-store.ts";
import { observationCollection } from "./observations/observation-store.ts";
import { pauseCollection } from "./observations/restart-watch.ts";
import { standingCollection, standingDeviceCollection } from "./observations/standing-store.ts";
import { writtenAttributeCollection } from "./observations/written-attributes.ts";
import { operationCollection } from "./operations/operation-store.ts";
import { bootstrapConfigs } from "./provisioning/bootstrap-config-store.ts";
import { objectProfileCollection } from "./registration/object-profiles.ts";
import { registrationCollection } from "./registration/registration-store.ts";
import { clearTextCollection, sealingKeyCollection } from "./security/sealed-documents.ts";
import { sendSettingCollection } from "./sending/send-setting-store.ts";
import type { CollectionDefinition } from "./storage/collection.ts";
import { processCollection } from "./storage/process-owner.ts";
import { tracedDeviceCollection } from "./trace/trace-service.ts";
import { desiredCollection } from "./twin/desired-store.ts";
import { twinCollection } from "./twin/twin-store.ts";

/** What the store is opened with. */
export const collections: readonly CollectionDefinition[] = [
  processCollection,
  eventsDefinition,
  deviceCollection,
  linkProfileCollection,
  tracedDeviceCollection,
  toleranceCollection,
  registrationCollection,
  objectProfileCollection,
  groupCollection,
  groupMemberCollection,
  traitCollection,
  traitCursorCollection,
  operationCollection,
  idempotencyCollection,
  observationCollection,
  standingCollection,
  standingDeviceCollection,
  writtenAttributeCollection,
  pauseCollection,
  twinCollection,
  desiredCollection,
  sendSettingCollection,
  packageCollection,
  updateCollection,
  bootstrapConfigs,
  modelCollection,
  sealingKeyCollection,
  clearTextCollection,
  credentialCollection,
  trustAnchorCollection,
  serverIdentityCollection,
];

/** Those whose documents have sealed fields. */
export const sealedCollections: readonly CollectionDefinition[] = [
  bootstrapConfigs,
  credentialCollection,
  trustAnchorCollection,
  serverIdentityCollection,
  desiredCollection,
  operationCollection,
];

/** Those whose documents carry events until the relay has moved them to the log. */
export const outboxCollections: readonly CollectionDefinition[] = [
  deviceCollection,
  registrationCollection,
  operationCollection,
  observationCollection,
  standingCollection,
  twinCollection,
  desiredCollection,
  updateCollection,
  credentialCollection,
  trustAnchorCollection,
  serverIdentityCollection,
];
