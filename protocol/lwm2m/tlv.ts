/**
 * application/vnd.oma.lwm2m+tlv, content format 11542 (LwM2M Core 1.1 §7.4.5): the tree below the requested path.
 *
 *   object instance > resource
 *   object instance > multiple resource > resource instance
 */
import { ByteWriter } from "../bytes/byte-writer.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { assertRecordCount, assertUnder, reportUnreadable, typeAt, valuePath } from "./node.ts";
import { formatPath, type Lwm2mPath, levelOf } from "./path.ts";
import { type DecodeContext, type EncodeContext, unassignedInstanceId } from "./payload-contract.ts";
import { eachTlvEntry, type TlvEntry, TlvKind, tlvKindName, writeTlvEntry } from "./tlv-entry.ts";
import { readTlvValue, tlvValueBytes } from "./tlv-value.ts";
import { tolerate } from "./tolerance.ts";
import type { PathValue } from "./value.ts";

export function decodeTlv(payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  const { path } = context;
  if (path === undefined) throw new Lwm2mFormatError("path", "TLV carries no absolute path");
  const decoding: Decoding = { context, nodes: [] };
  eachEntryOnce(payload, path, (entry) => topEntry(entry, path, decoding));
  return decoding.nodes;
}

export function encodeTlv(values: readonly PathValue[], context: EncodeContext): Uint8Array {
  const { path } = context;
  if (path === undefined) throw new Lwm2mFormatError("path", "TLV carries no absolute path");
  assertUnder(path, values);
  const writer = new ByteWriter();
  switch (levelOf(path)) {
    case "object":
      writeInstances(writer, values);
      break;
    case "instance":
    case "resource":
      writeResources(writer, values);
      break;
    case "resourceInstance":
      writeResourceInstances(writer, values);
  }
  return writer.toBytes();
}

interface Decoding {
  readonly context: DecodeContext;
  readonly nodes: PathValue[];
}

/** What may stand at the top depends on the path; the object-instance entry is optional below an instance path. */
function topEntry(entry: TlvEntry, path: Lwm2mPath, decoding: Decoding): void {
  switch (levelOf(path)) {
    case "object":
      if (entry.kind === TlvKind.objectInstance) instanceEntry(entry, { objectId: path.objectId, instanceId: entry.id }, decoding);
      else resourceEntry(entry, bareInstance(path, decoding), decoding);
      break;
    case "instance":
      if (entry.kind === TlvKind.objectInstance) instanceEntry(entry, requireInstance(entry, path), decoding);
      else resourceEntry(entry, path, decoding);
      break;
    case "resource":
      if (entry.kind === TlvKind.resourceInstance) bareResourceInstance(entry, path, decoding);
      else resourceEntry(entry, requireResource(entry, path), decoding);
      break;
    case "resourceInstance":
      // Seen both ways: the instance alone (Leshan) and wrapped in its multiple resource.
      if (entry.kind === TlvKind.resourceInstance) resourceInstanceEntry(entry, requireResourceInstance(entry, path), decoding);
      else resourceEntry(entry, requireResource(entry, path), decoding, path.resourceInstanceId);
  }
}

/** Resources directly under an object: a Create without identifier, or a device that leaves the instance out. */
function bareInstance(path: Lwm2mPath, { context }: Decoding): Lwm2mPath {
  if (context.bareInstanceId === undefined) tolerate(context, "tlv-missing-instance", "tlv");
  return { objectId: path.objectId, instanceId: context.bareInstanceId ?? 0 };
}

function bareResourceInstance(entry: TlvEntry, path: Lwm2mPath, decoding: Decoding): void {
  tolerate(decoding.context, "tlv-bare-resource-instance", "tlv");
  resourceInstanceEntry(entry, { ...path, resourceInstanceId: entry.id }, decoding);
}

function requireResource(entry: TlvEntry, path: Lwm2mPath): Lwm2mPath {
  if (entry.id !== path.resourceId) throw new Lwm2mFormatError("path", `resource ${entry.id} is not under ${formatPath(path)}`);
  return { objectId: path.objectId, ...(path.instanceId === undefined ? {} : { instanceId: path.instanceId }) };
}

function requireInstance(entry: TlvEntry, path: Lwm2mPath): Lwm2mPath {
  if (entry.id === path.instanceId) return path;
  throw new Lwm2mFormatError("path", `instance ${entry.id} is not under ${formatPath(path)}`);
}

function requireResourceInstance(entry: TlvEntry, path: Lwm2mPath): Lwm2mPath {
  if (entry.id === path.resourceInstanceId) return path;
  throw new Lwm2mFormatError("path", `resource instance ${entry.id} is not ${formatPath(path)}`);
}

function instanceEntry(entry: TlvEntry, path: Lwm2mPath, decoding: Decoding): void {
  if (entry.value.length === 0) add({ path }, decoding);
  eachEntryOnce(entry.value, path, (child) => resourceEntry(child, path, decoding));
}

/** `onlyInstance`: the resource instance that was asked for, when it was one. */
function resourceEntry(entry: TlvEntry, instance: Lwm2mPath, decoding: Decoding, onlyInstance?: number): void {
  const path: Lwm2mPath = { ...instance, resourceId: entry.id };
  if (entry.kind === TlvKind.multipleResource) {
    if (entry.value.length === 0) add({ path }, decoding);
    eachEntryOnce(entry.value, path, (child) => {
      if (onlyInstance !== undefined) requireResourceInstance(child, { ...path, resourceInstanceId: onlyInstance });
      resourceInstanceEntry(child, { ...path, resourceInstanceId: child.id }, decoding);
    });
    return;
  }
  if (entry.kind !== TlvKind.resource) throw misplaced(entry, instance);
  const at = onlyInstance === undefined ? valuePath(path, decoding.context) : { ...path, resourceInstanceId: onlyInstance };
  addValue(entry, at, decoding);
}

function resourceInstanceEntry(entry: TlvEntry, path: Lwm2mPath, decoding: Decoding): void {
  if (entry.kind !== TlvKind.resourceInstance) throw misplaced(entry, path);
  addValue(entry, path, decoding);
}

function addValue(entry: TlvEntry, path: Lwm2mPath, decoding: Decoding): void {
  const type = typeAt(path, decoding.context) ?? "opaque";
  try {
    add({ path, value: readTlvValue(entry.value, type, decoding.context) }, decoding);
  } catch (error) {
    reportUnreadable(error, path, decoding.context);
  }
}

function add(node: PathValue, { nodes, context }: Decoding): void {
  nodes.push(node);
  assertRecordCount(nodes.length, context);
}

/** Entries of one level: an identifier twice under the same kind of parent is no tree. */
function eachEntryOnce(bytes: Uint8Array, parent: Lwm2mPath, read: (entry: TlvEntry) => void): void {
  const instances = new Set<number>();
  const others = new Set<number>();
  eachTlvEntry(bytes, (entry) => {
    const seen = entry.kind === TlvKind.objectInstance ? instances : others;
    if (seen.has(entry.id)) {
      throw new Lwm2mFormatError("tlv", `${tlvKindName(entry.kind)} ${entry.id} appears twice under ${formatPath(parent)}`);
    }
    seen.add(entry.id);
    read(entry);
  });
}

function misplaced(entry: TlvEntry, path: Lwm2mPath): Lwm2mFormatError {
  return new Lwm2mFormatError("tlv", `${tlvKindName(entry.kind)} ${entry.id} does not belong under ${formatPath(path)}`);
}

function writeInstances(writer: ByteWriter, values: readonly PathValue[]): void {
  for (const [instanceId, nodes] of grouped(values, "instanceId")) {
    // Without an identifier the client assigns one: the resources stand alone (LwM2M Core 1.1 §6.3.5).
    if (instanceId === unassignedInstanceId) writeResources(writer, nodes);
    else writeTlvEntry(writer, TlvKind.objectInstance, instanceId, written(writeResources, nodes));
  }
}

function writeResources(writer: ByteWriter, values: readonly PathValue[]): void {
  const present = values.filter((node) => node.path.resourceId !== undefined);
  for (const [resourceId, nodes] of grouped(present, "resourceId")) {
    const [first] = nodes;
    if (nodes.length === 1 && first?.value !== undefined && first.path.resourceInstanceId === undefined) {
      writeTlvEntry(writer, TlvKind.resource, resourceId, tlvValueBytes(first.value));
    } else {
      writeTlvEntry(writer, TlvKind.multipleResource, resourceId, written(writeResourceInstances, nodes));
    }
  }
}

/** A node without a value is the empty multi-instance resource itself and writes nothing. */
function writeResourceInstances(writer: ByteWriter, values: readonly PathValue[]): void {
  const present = values.filter((node) => node.value !== undefined);
  for (const [instanceId, nodes] of grouped(present, "resourceInstanceId")) {
    const [node] = nodes;
    if (node?.value === undefined || nodes.length > 1) throw new Lwm2mFormatError("value", "TLV carries one value a resource instance");
    writeTlvEntry(writer, TlvKind.resourceInstance, instanceId, tlvValueBytes(node.value));
  }
}

function written(write: (writer: ByteWriter, values: readonly PathValue[]) => void, values: readonly PathValue[]): Uint8Array {
  const writer = new ByteWriter();
  write(writer, values);
  return writer.toBytes();
}

/** By identifier at one level, in order of first appearance; throws `value` for a node that ends above it. */
function grouped(values: readonly PathValue[], level: "instanceId" | "resourceId" | "resourceInstanceId"): Map<number, PathValue[]> {
  const groups = new Map<number, PathValue[]>();
  for (const node of values) {
    const id = node.path[level];
    if (id === undefined) throw new Lwm2mFormatError("value", `${formatPath(node.path)} has a value but no ${level}`);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [node]);
    else group.push(node);
  }
  return groups;
}
