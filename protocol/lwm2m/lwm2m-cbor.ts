/**
 * application/vnd.oma.lwm2m+cbor, content format 11544 (LwM2M Core 1.2.1 §7.4.6): nested maps whose keys are identifiers or arrays of
 * identifiers; the path of a value is all keys above it together.
 */
import { CborReader } from "../cbor/cbor-reader.ts";
import { CborWriter } from "../cbor/cbor-writer.ts";
import { readCborScalar, writeCborValue } from "./cbor-value.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { assertRecordCount, reportUnreadable, resourceAt, valuePath } from "./node.ts";
import { formatPath, type Lwm2mPath, maxIdentifier, pathIds, pathOf } from "./path.ts";
import { type DecodeContext, unassignedInstanceId } from "./payload-contract.ts";
import { type Scalar, scalarOfCbor } from "./scalar.ts";
import { tolerate } from "./tolerance.ts";
import type { PathValue, ResourceType, ResourceValue } from "./value.ts";

const maxLevels = 4;

export function decodeLwm2mCbor(payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  const reader = new CborReader(payload, (message) => new Lwm2mFormatError("cbor", message));
  const leaves: Leaf[] = [];
  readMap({ reader, leaves, context }, []);
  reader.finish();
  const prefix = prefixOf(leaves, context);
  const seen = new Set<string>();
  const nodes: PathValue[] = [];
  for (const { ids, scalar } of leaves) {
    const path = pathFrom(prefix.length === 0 ? ids : prefix.concat(ids));
    const resource = resourceAt(path, context);
    const at = scalar === undefined || scalar === null ? path : valuePath(path, context, resource);
    const text = formatPath(at);
    if (seen.has(text)) throw new Lwm2mFormatError("cbor", `${text} appears twice`);
    seen.add(text);
    if (scalar === undefined || scalar === null) nodes.push({ path: at });
    else addValue(nodes, at, scalar, { context, type: resource?.type });
  }
  return nodes;
}

/** Keys are single identifiers, from the object on (required since 1.2.1). */
export function encodeLwm2mCbor(values: readonly PathValue[]): Uint8Array {
  const writer = new CborWriter();
  writeTree(writer, treeOf(values));
  return writer.toBytes();
}

interface Leaf {
  readonly ids: readonly number[];
  /** Undefined for an empty map, null for null. */
  readonly scalar: Scalar | null | undefined;
}

interface Reading {
  readonly reader: CborReader;
  readonly leaves: Leaf[];
  readonly context: DecodeContext;
}

function readMap(reading: Reading, above: readonly number[]): void {
  const { reader, leaves, context } = reading;
  let entries = 0;
  reader.eachEntry(() => {
    entries++;
    const ids = above.concat(readKey(reader));
    if (ids.length > maxLevels) throw new Lwm2mFormatError("path", `keys /${ids.join("/")} are more than ${maxLevels} levels`);
    if (reader.kind() === "map") readMap(reading, ids);
    else leaves.push({ ids, scalar: scalarOfCbor(reader.readScalar()) });
    assertRecordCount(leaves.length, context);
  });
  if (entries === 0 && above.length > 0) leaves.push({ ids: above, scalar: undefined });
}

/** An identifier, or an array of them. A gateway prefix (text) is not supported. */
function readKey(reader: CborReader): readonly number[] {
  if (reader.kind() !== "array") return [readId(reader)];
  const ids: number[] = [];
  reader.eachItem(() => {
    ids.push(readId(reader));
  });
  if (ids.length === 0) throw new Lwm2mFormatError("path", "an array of identifiers is empty");
  return ids;
}

function readId(reader: CborReader): number {
  const id = reader.readInteger();
  if (id < 0n || id > BigInt(unassignedInstanceId)) throw new Lwm2mFormatError("path", `identifier ${id}, at most ${maxIdentifier}`);
  return Number(id);
}

/** LwM2M 1.2.0 let Write and Create count from the request path: taken when the keys do not fit as absolute ones. */
function prefixOf(leaves: readonly Leaf[], context: DecodeContext): readonly number[] {
  const { path } = context;
  if (path === undefined) return [];
  const asked = pathIds(path);
  const isAbsolute = leaves.every(({ ids }) => asked.every((id, index) => ids[index] === id));
  const fitsRelative = leaves.every(({ ids }) => asked.length + ids.length <= maxLevels);
  if (isAbsolute || !fitsRelative) return [];
  tolerate(context, "cbor-relative-keys", "path");
  return asked;
}

/** The reserved identifier stands only for an instance to be assigned. */
function pathFrom(ids: readonly number[]): Lwm2mPath {
  if (ids.some((id, level) => id > maxIdentifier && level !== 1)) {
    throw new Lwm2mFormatError("path", `/${ids.join("/")}: identifier ${unassignedInstanceId} is reserved`);
  }
  return pathOf(ids);
}

interface Typed {
  readonly context: DecodeContext;
  readonly type: ResourceType | undefined;
}

/** None where the value cannot be read and the caller is told of it. */
function addValue(nodes: PathValue[], path: Lwm2mPath, scalar: Scalar, { context, type }: Typed): void {
  try {
    nodes.push({ path, value: readCborScalar(scalar, type, context) });
  } catch (error) {
    reportUnreadable(error, path, context);
  }
}

type Tree = Map<number, Tree | ResourceValue>;

function treeOf(values: readonly PathValue[]): Tree {
  const root: Tree = new Map();
  for (const { path, value } of values) {
    const ids = pathIds(path);
    let level = root;
    for (const [index, id] of ids.entries()) {
      if (index === ids.length - 1 && value !== undefined) setLeaf(level, id, { path, value });
      else level = childOf(level, id, path);
    }
  }
  return root;
}

function setLeaf(level: Tree, id: number, { path, value }: PathValue & { readonly value: ResourceValue }): void {
  if (level.has(id)) throw new Lwm2mFormatError("value", `LwM2M CBOR carries one value for ${formatPath(path)}`);
  level.set(id, value);
}

function childOf(level: Tree, id: number, path: Lwm2mPath): Tree {
  const child = level.get(id) ?? new Map();
  if (!(child instanceof Map)) throw new Lwm2mFormatError("value", `LwM2M CBOR carries one value for ${formatPath(path)}`);
  level.set(id, child);
  return child;
}

function writeTree(writer: CborWriter, tree: Tree): void {
  writer.map(tree.size);
  for (const [id, child] of tree) {
    writer.integer(id);
    if (child instanceof Map) writeTree(writer, child);
    else writeCborValue(writer, child);
  }
}
