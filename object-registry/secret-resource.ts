/**
 * Resources whose value is nobody's to see: those that can only be written (LwM2M Core 1.1 appendix D.1: W) or only a bootstrap server
 * touches, and keys and passwords that a model lets be read all the same, known by their names.
 */
import type { ObjectDefinition, ResourceDefinition } from "./definition.ts";

/** APN Connection Profile: Secret; MQTT Server: Password; Cellular Connectivity: Module activation code; Multicast group key. */
const secretName = /password|passphrase|passcode|\bsecret\b|\bpsk\b|pre-? ?shared key|key phrase|private key|group key|activation code/i;

/** Security, OSCORE and COSE: credentials, whatever their model says. */
const credentialObjects: ReadonlySet<number> = new Set([0, 21, 23]);

const known = new WeakMap<ObjectDefinition, ReadonlySet<number>>();

/** Ids; of a definition looked up once. */
export function secretResourcesOf(definition: ObjectDefinition): ReadonlySet<number> {
  const present = known.get(definition);
  if (present !== undefined) return present;
  const found = new Set(
    [...definition.resources.values()].filter((resource) => isSecretResource(definition.id, resource)).map(({ id }) => id),
  );
  known.set(definition, found);
  return found;
}

export function isCredentialObject(objectId: number): boolean {
  return credentialObjects.has(objectId);
}

function isSecretResource(objectId: number, { name, operations, type }: ResourceDefinition): boolean {
  if (isCredentialObject(objectId)) return true;
  if (operations === "W" || operations === "") return true;
  // A number, a truth value or a time is none.
  return operations === "RW" && (type === "string" || type === "opaque") && secretName.test(name);
}
