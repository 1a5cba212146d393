/**
 * The tree of TLV entries from the nodes of a payload (LwM2M Core 1.1 §7.4.5).
 *
 * Nodes of one parent stand next to each other, so the tree is runs within one list; it is written from the last node to the first, because
 * a length is known only when its value is written.
 */
import { BackwardWriter } from "../bytes/backward-writer.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { formatPath, type PathLevel } from "./path.ts";
import { unassignedInstanceId } from "./payload-contract.ts";
import { TlvKind, writeTlvHead } from "./tlv-entry.ts";
import { writeTlvValue } from "./tlv-value.ts";
import type { PathValue } from "./value.ts";

/** `level`: of the path that all values lie under. Throws `value` for what TLV cannot say. */
export function writeTlv(values: readonly PathValue[], level: PathLevel): Uint8Array {
  const writer = new BackwardWriter();
  const runs = inRuns(values);
  switch (level) {
    case "object":
      writeInstances(writer, runs);
      break;
    case "instance":
    case "resource":
      writeResources(writer, runs, 0, runs.length);
      break;
    case "resourceInstance":
      writeResourceInstances(writer, runs, 0, runs.length);
  }
  return writer.toBytes();
}

type Level = "instanceId" | "resourceId" | "resourceInstanceId";
const levels: readonly Level[] = ["instanceId", "resourceId", "resourceInstanceId"];
/** Where a path ends above the level. */
const none = -1;

/** Nodes of one parent next to each other, in order of first appearance; nearly always they come like that. */
function inRuns(values: readonly PathValue[]): readonly PathValue[] {
  for (let index = 1; index < values.length; index++) {
    if (!isAscending(values[index - 1], values[index])) return regrouped(values, 0);
  }
  return values;
}

function isAscending(before: PathValue | undefined, after: PathValue | undefined): boolean {
  for (const level of levels) {
    const step = idAt(after, level) - idAt(before, level);
    if (step !== 0) return step > 0;
  }
  return true;
}

function regrouped(values: readonly PathValue[], depth: number): readonly PathValue[] {
  const level = levels[depth];
  if (level === undefined) return values;
  const groups = new Map<number, PathValue[]>();
  for (const node of values) {
    const id = idAt(node, level);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [node]);
    else group.push(node);
  }
  return [...groups.values()].flatMap((group) => regrouped(group, depth + 1));
}

function idAt(node: PathValue | undefined, level: Level): number {
  return node?.path[level] ?? none;
}

/** Where the run begins that ends before `end`: the nodes with the same identifier at that level. */
function runStart(values: readonly PathValue[], level: Level, start: number, end: number): number {
  const id = idAt(values[end - 1], level);
  let at = end - 1;
  while (at > start && idAt(values[at - 1], level) === id) at--;
  return at;
}

/** Throws `value` for a node that ends above the level. */
function requireId(node: PathValue, level: Level): number {
  const id = node.path[level];
  if (id === undefined) throw new Lwm2mFormatError("value", `${formatPath(node.path)} has a value but no ${level}`);
  return id;
}

function writeInstances(writer: BackwardWriter, values: readonly PathValue[]): void {
  for (let end = values.length; end > 0; ) {
    const start = runStart(values, "instanceId", 0, end);
    const first = values[start];
    if (first === undefined) return;
    const instanceId = requireId(first, "instanceId");
    const before = writer.length;
    writeResources(writer, values, start, end);
    // Without an identifier the client assigns one: the resources stand alone (LwM2M Core 1.1 §6.3.5).
    if (instanceId !== unassignedInstanceId) writeTlvHead(writer, TlvKind.objectInstance, instanceId, writer.length - before);
    end = start;
  }
}

/** The nodes from `from` up to `to`, which have one instance. */
function writeResources(writer: BackwardWriter, values: readonly PathValue[], from: number, to: number): void {
  for (let end = to; end > from; ) {
    const start = runStart(values, "resourceId", from, end);
    const first = values[start];
    // The node of the instance itself says that it is there and writes nothing.
    if (first?.path.resourceId !== undefined) writeResource(writer, first, values, start, end);
    end = start;
  }
}

/** The nodes from `from` up to `to`, which have one resource. */
function writeResource(writer: BackwardWriter, first: PathValue, values: readonly PathValue[], from: number, to: number): void {
  const before = writer.length;
  const isSingle = to - from === 1 && first.path.resourceInstanceId === undefined;
  const resourceId = requireId(first, "resourceId");
  if (isSingle && first.value !== undefined) {
    writeTlvValue(writer, first.value);
    writeTlvHead(writer, TlvKind.resource, resourceId, writer.length - before);
  } else {
    writeResourceInstances(writer, values, from, to);
    writeTlvHead(writer, TlvKind.multipleResource, resourceId, writer.length - before);
  }
}

/** A node without a value is the empty multi-instance resource itself and writes nothing. */
function writeResourceInstances(writer: BackwardWriter, values: readonly PathValue[], from: number, to: number): void {
  let after = none;
  for (let at = to - 1; at >= from; at--) {
    const node = values[at];
    if (node?.value === undefined) continue;
    const id = requireId(node, "resourceInstanceId");
    if (id === after) throw new Lwm2mFormatError("value", "TLV carries one value a resource instance");
    after = id;
    const before = writer.length;
    writeTlvValue(writer, node.value);
    writeTlvHead(writer, TlvKind.resourceInstance, id, writer.length - before);
  }
}
