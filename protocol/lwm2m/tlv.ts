/**
 * application/vnd.oma.lwm2m+tlv, content format 11542 (LwM2M Core 1.1 §7.4.5): the tree below the requested path.
 *
 *   object instance > resource
 *   object instance > multiple resource > resource instance
 */
import type { ByteReader } from "../bytes/byte-reader.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { assertRecordCount, assertUnder, reportUnreadable, resourceAt, typeAt, valuePath } from "./node.ts";
import { formatPath, type Lwm2mPath, levelOf } from "./path.ts";
import type { DecodeContext, EncodeContext } from "./payload-contract.ts";
import { readTlvEntry, type TlvEntry, TlvKind, tlvKindName, tlvReader } from "./tlv-entry.ts";
import { readTlvValue } from "./tlv-value.ts";
import { writeTlv } from "./tlv-writer.ts";
import { tolerate } from "./tolerance.ts";
import type { PathValue, ResourceType } from "./value.ts";

const wordBits = 32;

export function decodeTlv(payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  const { path } = context;
  if (path === undefined) throw new Lwm2mFormatError("path", "TLV carries no absolute path");
  const decoding: Decoding = { context, nodes: [], reader: tlvReader(payload) };
  const seen = new SeenEntries();
  while (decoding.reader.remaining > 0) topEntry(nextEntry(payload.length, seen, path, decoding), path, decoding);
  return decoding.nodes;
}

export function encodeTlv(values: readonly PathValue[], context: EncodeContext): Uint8Array {
  const { path } = context;
  if (path === undefined) throw new Lwm2mFormatError("path", "TLV carries no absolute path");
  assertUnder(path, values);
  return writeTlv(values, levelOf(path));
}

interface Decoding {
  readonly context: DecodeContext;
  readonly nodes: PathValue[];
  readonly reader: ByteReader;
}

interface InstancePath {
  readonly objectId: number;
  readonly instanceId: number;
}

/** What may stand at the top depends on the path; the object-instance entry is optional below an instance path. */
function topEntry(entry: TlvEntry, path: Lwm2mPath, decoding: Decoding): void {
  const { objectId, instanceId, resourceId, resourceInstanceId } = path;
  if (instanceId === undefined) {
    if (entry.kind === TlvKind.objectInstance) instanceEntry(entry, { objectId, instanceId: entry.id }, decoding);
    else resourceEntry(entry, bareInstance(path, decoding), decoding);
    return;
  }
  const instance = { objectId, instanceId };
  if (resourceId === undefined) {
    if (entry.kind === TlvKind.objectInstance) instanceEntry(requireInstance(entry, path), instance, decoding);
    else resourceEntry(entry, instance, decoding);
  } else if (resourceInstanceId === undefined) {
    if (entry.kind === TlvKind.resourceInstance) bareResourceInstance(entry, path, decoding);
    else resourceEntry(requireResource(entry, path), instance, decoding);
  } else {
    // Seen both ways: the instance alone (Leshan) and wrapped in its multiple resource.
    if (entry.kind === TlvKind.resourceInstance) resourceInstanceEntry(entry, requireResourceInstance(entry, path), decoding);
    else resourceEntry(requireResource(entry, path), instance, decoding, resourceInstanceId);
  }
}

/** Resources directly under an object: a Create without identifier, or a device that leaves the instance out. */
function bareInstance(path: Lwm2mPath, { context }: Decoding): InstancePath {
  if (context.bareInstanceId === undefined) tolerate(context, "tlv-missing-instance", "tlv");
  return { objectId: path.objectId, instanceId: context.bareInstanceId ?? 0 };
}

function bareResourceInstance(entry: TlvEntry, path: Lwm2mPath, decoding: Decoding): void {
  tolerate(decoding.context, "tlv-bare-resource-instance", "tlv");
  resourceInstanceEntry(entry, path, decoding);
}

function requireResource(entry: TlvEntry, path: Lwm2mPath): TlvEntry {
  if (entry.id === path.resourceId) return entry;
  throw new Lwm2mFormatError("path", `resource ${entry.id} is not under ${formatPath(path)}`);
}

function requireInstance(entry: TlvEntry, path: Lwm2mPath): TlvEntry {
  if (entry.id === path.instanceId) return entry;
  throw new Lwm2mFormatError("path", `instance ${entry.id} is not under ${formatPath(path)}`);
}

function requireResourceInstance(entry: TlvEntry, path: Lwm2mPath): Lwm2mPath {
  if (entry.id === path.resourceInstanceId) return path;
  throw new Lwm2mFormatError("path", `resource instance ${entry.id} is not ${formatPath(path)}`);
}

function instanceEntry(entry: TlvEntry, path: InstancePath, decoding: Decoding): void {
  const { reader } = decoding;
  if (entry.end === reader.position) add({ path }, decoding);
  const seen = new SeenEntries();
  while (reader.position < entry.end) resourceEntry(nextEntry(entry.end, seen, path, decoding), path, decoding);
}

/** `onlyInstance`: the resource instance that was asked for, when it was one. */
function resourceEntry(entry: TlvEntry, instance: InstancePath, decoding: Decoding, onlyInstance?: number): void {
  const { objectId, instanceId } = instance;
  const path: Lwm2mPath = { objectId, instanceId, resourceId: entry.id };
  if (entry.kind === TlvKind.multipleResource) {
    multipleResourceEntry(entry, path, decoding, onlyInstance);
    return;
  }
  if (entry.kind !== TlvKind.resource) throw misplaced(entry, instance);
  const resource = resourceAt(path, decoding.context);
  const at = onlyInstance === undefined ? valuePath(path, decoding.context, resource) : { ...path, resourceInstanceId: onlyInstance };
  addValue(entry, at, resource?.type, decoding);
}

function multipleResourceEntry(entry: TlvEntry, path: Lwm2mPath, decoding: Decoding, onlyInstance: number | undefined): void {
  const { reader } = decoding;
  if (entry.end === reader.position) add({ path }, decoding);
  const seen = new SeenEntries();
  while (reader.position < entry.end) {
    const child = nextEntry(entry.end, seen, path, decoding);
    if (onlyInstance !== undefined) requireResourceInstance(child, { ...path, resourceInstanceId: onlyInstance });
    resourceInstanceEntry(child, path, decoding);
  }
}

/** An instance of the resource at `resource`. */
function resourceInstanceEntry(entry: TlvEntry, resource: Lwm2mPath, decoding: Decoding): void {
  const { objectId, instanceId, resourceId } = resource;
  if (instanceId === undefined || resourceId === undefined) throw new Error(`${formatPath(resource)} is no resource`);
  const path: Lwm2mPath = { objectId, instanceId, resourceId, resourceInstanceId: entry.id };
  if (entry.kind !== TlvKind.resourceInstance) throw misplaced(entry, path);
  addValue(entry, path, typeAt(path, decoding.context), decoding);
}

function addValue(entry: TlvEntry, path: Lwm2mPath, type: ResourceType = "opaque", { context, nodes, reader }: Decoding): void {
  try {
    nodes.push({ path, value: readTlvValue(reader, entry.end - reader.position, type, context) });
  } catch (error) {
    reportUnreadable(error, path, context);
    reader.skip(entry.end - reader.position);
  }
  assertRecordCount(nodes.length, context);
}

function add(node: PathValue, { nodes, context }: Decoding): void {
  nodes.push(node);
  assertRecordCount(nodes.length, context);
}

/** The next entry under `parent`, which ends at `end`: an identifier twice under the same kind of parent is no tree. */
function nextEntry(end: number, seen: SeenEntries, parent: Lwm2mPath, { reader }: Decoding): TlvEntry {
  const entry = readTlvEntry(reader, end);
  if (seen.add(entry)) return entry;
  throw new Lwm2mFormatError("tlv", `${tlvKindName(entry.kind)} ${entry.id} appears twice under ${formatPath(parent)}`);
}

/** Identifiers of one level, object instances apart from all else; most are small and stand in a word of bits instead of a set. */
class SeenEntries {
  #bits = 0;
  #others: Set<number> | undefined;

  /** False when it was there. */
  add({ kind, id }: TlvEntry): boolean {
    if (id < wordBits && kind !== TlvKind.objectInstance) {
      const bit = 1 << id;
      const isNew = (this.#bits & bit) === 0;
      this.#bits |= bit;
      return isNew;
    }
    const key = kind === TlvKind.objectInstance ? -1 - id : id;
    this.#others ??= new Set();
    if (this.#others.has(key)) return false;
    this.#others.add(key);
    return true;
  }
}

function misplaced(entry: TlvEntry, path: Lwm2mPath): Lwm2mFormatError {
  return new Lwm2mFormatError("tlv", `${tlvKindName(entry.kind)} ${entry.id} does not belong under ${formatPath(path)}`);
}
