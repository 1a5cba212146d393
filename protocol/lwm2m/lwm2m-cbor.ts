/**
 * application/vnd.oma.lwm2m+cbor, content format 11544 (LwM2M Core 1.2.1 §7.4.6): nested maps whose keys are identifiers or arrays of
 * identifiers; the path of a value is all keys above it together.
 */
import { CborReader } from "../cbor/cbor-reader.ts";
import { CborWriter } from "../cbor/cbor-writer.ts";
import { readCborScalar, writeCborValue } from "./cbor-value.ts";
import { Lwm2mFormatError } from "./format-error.ts";
import { checkedPrefix } from "./gateway-prefix.ts";
import { assertRecordCount, reportUnreadable, resourceAt, valuePath } from "./node.ts";
import { formatPath, type Lwm2mPath, maxIdentifier, pathIds, pathOf } from "./path.ts";
import { type DecodeContext, unassignedInstanceId } from "./payload-contract.ts";
import { type Scalar, scalarOfCbor } from "./scalar.ts";
import { tolerate } from "./tolerance.ts";
import type { PathValue, ResourceType, ResourceValue } from "./value.ts";

const maxLevels = 4;

export function decodeLwm2mCbor(payload: Uint8Array, context: DecodeContext): readonly PathValue[] {
  const leaves: Leaf[] = [];
  readLeaves(payload, context, (leaf) => leaves.push(leaf));
  return nodesOf(leaves, context);
}

/** By gateway prefix, "" for the gateway itself: the prefix is the first element of an array of keys at the top (LwM2M Core 1.2.1 §7.4.6). */
export function decodeGatewayCbor(payload: Uint8Array, context: DecodeContext): ReadonlyMap<string, readonly PathValue[]> {
  const leaves = new Map<string, Leaf[]>();
  readLeaves(
    payload,
    context,
    (leaf, prefix) => {
      const before = leaves.get(prefix);
      if (before === undefined) leaves.set(prefix, [leaf]);
      else before.push(leaf);
      return leaves.size;
    },
    true,
  );
  return new Map([...leaves].map(([prefix, found]) => [prefix, nodesOf(found, context)]));
}

/** Keys are single identifiers, from the object on (required since 1.2.1); a prefix stands before the object. */
export function encodeGatewayCbor(groups: ReadonlyMap<string, readonly PathValue[]>): Uint8Array {
  const writer = new CborWriter();
  const trees = [...groups].map(([prefix, values]) => [prefix, treeOf(values)] as const);
  writer.map(trees.reduce((count, [, tree]) => count + tree.size, 0));
  for (const [prefix, tree] of trees) {
    writeEntries(writer, tree, (id) => {
      if (prefix === "") return writer.integer(id);
      writer.array(2);
      writer.text(prefix);
      writer.integer(id);
    });
  }
  return writer.toBytes();
}

function nodesOf(leaves: readonly Leaf[], context: DecodeContext): readonly PathValue[] {
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

/** Gives how many leaves there are. */
type AddLeaf = (leaf: Leaf, prefix: string) => number;

interface Reading {
  readonly reader: CborReader;
  readonly add: AddLeaf;
  readonly context: DecodeContext;
  /** Whether keys at the top may begin with the text of a gateway prefix. */
  readonly takesPrefix: boolean;
}

function readLeaves(payload: Uint8Array, context: DecodeContext, add: AddLeaf, takesPrefix = false): void {
  const reader = new CborReader(payload, (message) => new Lwm2mFormatError("cbor", message));
  readMap({ reader, add, context, takesPrefix }, [], "");
  reader.finish();
}

function readMap(reading: Reading, above: readonly number[], prefix: string): void {
  const { reader, add, context } = reading;
  let entries = 0;
  reader.eachEntry(() => {
    entries++;
    // The common key is one identifier: no list is made for it.
    const key = reader.kind() === "array" ? readKeys(reading, above.length === 0 && prefix === "") : undefined;
    const ids = above.concat(key === undefined ? readId(reader) : key.ids);
    const under = key === undefined || key.prefix === "" ? prefix : key.prefix;
    if (ids.length > maxLevels) throw new Lwm2mFormatError("path", `keys /${ids.join("/")} are more than ${maxLevels} levels`);
    if (reader.kind() === "map") readMap(reading, ids, under);
    else if (ids.length === 0) throw new Lwm2mFormatError("path", "a gateway prefix has no value of its own");
    else assertRecordCount(add({ ids, scalar: scalarOfCbor(reader.readScalar()) }, under), context);
  });
  if (entries === 0 && above.length > 0) assertRecordCount(add({ ids: above, scalar: undefined }, prefix), context);
}

interface Keys {
  readonly ids: readonly number[];
  readonly prefix: string;
}

/** An array of identifiers. */
function readKeys(reading: Reading, atTop: boolean): Keys {
  const { reader, takesPrefix } = reading;
  const ids: number[] = [];
  let prefix = "";
  let items = 0;
  reader.eachItem(() => {
    if (takesPrefix && atTop && items === 0 && reader.kind() === "text") prefix = checkedPrefix(reader.readText());
    else ids.push(readId(reader));
    items++;
  });
  if (items === 0) throw new Lwm2mFormatError("path", "an array of identifiers is empty");
  return { ids, prefix };
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
  writeEntries(writer, tree, (id) => writer.integer(id));
}

function writeEntries(writer: CborWriter, tree: Tree, writeKey: (id: number) => void): void {
  for (const [id, child] of tree) {
    writeKey(id);
    if (child instanceof Map) writeTree(writer, child);
    else writeCborValue(writer, child);
  }
}
