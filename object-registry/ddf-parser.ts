/**
 * OMA object definition files (DDF XML) to definitions: LwM2M Core 1.1 appendix D, schemas LWM2M.xsd (1.0) and LWM2M-v1_1.xsd.
 *
 * Read leniently where the published files differ from the schemas: order of elements, case and space around the keywords,
 * a missing ObjectVersion (the URN has it, else 1.0), a type on an executable resource, none on a readable one.
 */
import type { ResourceType } from "@lwm2m/protocol/lwm2m/value";
import { DdfFormatError } from "./ddf-format-error.ts";
import { readXml, type XmlElement } from "./ddf-xml.ts";
import type { ObjectDefinition, ResourceDefinition, ResourceOperations } from "./definition.ts";
import { findVersion } from "./object-version.ts";
import { findRange, formatRange } from "./range.ts";

const limits = {
  /** Object and resource identifiers are 16 bit; 65,535 is reserved (LwM2M Core 1.1 §7.1). */
  maxIdentifier: 65_534,
  /** Characters of a name, unit or URN; the longest published name has 68. */
  maxTextLength: 255,
} as const;

/** Every object of one file, at least one. Throws `DdfFormatError`. */
export function parseDdf(xml: string): readonly ObjectDefinition[] {
  const root = readXml(xml);
  if (root.name !== "LWM2M") throw new DdfFormatError("definition", `the root element is ${root.name}, expected LWM2M`);
  const objects = root.children.filter((child) => child.name === "Object");
  if (objects.length === 0) throw new DdfFormatError("definition", "no Object element in LWM2M");
  const definitions = objects.map((object, index) => parseObject(object, index));
  const seen = new Set<string>();
  for (const { id, version } of definitions) {
    if (seen.has(`${id} ${version}`)) throw new DdfFormatError("definition", `object ${id}: version ${version} is defined twice`);
    seen.add(`${id} ${version}`);
  }
  return definitions;
}

const multipleInstances = new Map([
  ["single", false],
  ["multiple", true],
]);

const mandatory = new Map([
  ["optional", false],
  ["mandatory", true],
]);

const operations = new Map<string, ResourceOperations>([
  ["", ""],
  ["r", "R"],
  ["w", "W"],
  ["rw", "RW"],
  ["e", "E"],
]);

const types = new Map<string, ResourceType | undefined>([
  ["", undefined],
  ["string", "string"],
  ["integer", "integer"],
  ["unsigned integer", "unsigned"],
  ["float", "float"],
  ["boolean", "boolean"],
  ["opaque", "opaque"],
  ["time", "time"],
  ["objlnk", "objlnk"],
  ["corelnk", "corelnk"],
]);

function parseObject(object: XmlElement, index: number): ObjectDefinition {
  const idText = text(object, "ObjectID", `object number ${index + 1} of the file`);
  const id = identifier(idText, `object number ${index + 1} of the file: ObjectID`);
  const where = `object ${id}`;
  const urn = text(object, "ObjectURN", where);
  if (!urn.startsWith("urn:") || !urn.split(":").includes(String(id)))
    throw new DdfFormatError("definition", `${where}: ObjectURN ${quote(urn)} does not name object ${id}`);
  const container = object.children.find((child) => child.name === "Resources");
  const items = container?.children.filter((child) => child.name === "Item") ?? [];
  if (items.length === 0) throw new DdfFormatError("definition", `${where}: no Item in Resources`);
  return {
    id,
    name: name(object, where),
    version: parseVersion(object, urn, where),
    urn,
    multiple: keyword(object, "MultipleInstances", multipleInstances, where),
    mandatory: keyword(object, "Mandatory", mandatory, where),
    resources: parseResources(items, where),
  };
}

function parseVersion(object: XmlElement, urn: string, where: string): string {
  const version = optionalText(object, "ObjectVersion", where) || /:(\d+\.\d+)$/.exec(urn)?.[1] || "1.0";
  if (findVersion(version) === undefined)
    throw new DdfFormatError("definition", `${where}: ObjectVersion ${quote(version)} is not major.minor`);
  return version;
}

function parseResources(items: readonly XmlElement[], where: string): ReadonlyMap<number, ResourceDefinition> {
  const resources = new Map<number, ResourceDefinition>();
  for (const [index, item] of items.entries()) {
    const idText = item.attributes.get("ID");
    if (idText === undefined) throw new DdfFormatError("definition", `${where}, item number ${index + 1}: no ID attribute`);
    const id = identifier(idText, `${where}, item number ${index + 1}: ID`);
    if (resources.has(id)) throw new DdfFormatError("definition", `${where}: resource ${id} is defined twice`);
    resources.set(id, parseResource(item, id, `${where}, resource ${id}`));
  }
  return new Map([...resources].sort(([a], [b]) => a - b));
}

function parseResource(item: XmlElement, id: number, where: string): ResourceDefinition {
  const allowed = keyword(item, "Operations", operations, where);
  const declared = keyword(item, "Type", types, where);
  // An executable resource has no value; one published file gives it a type all the same.
  const type = allowed === "E" ? undefined : declared;
  const range = findRange(optionalText(item, "RangeEnumeration", where, Number.POSITIVE_INFINITY), type);
  const unit = optionalText(item, "Units", where);
  return {
    id,
    name: name(item, where),
    operations: allowed,
    multiple: keyword(item, "MultipleInstances", multipleInstances, where),
    mandatory: keyword(item, "Mandatory", mandatory, where),
    type,
    ...(range === undefined ? {} : { range: formatRange(range) }),
    ...(unit === "" ? {} : { unit }),
  };
}

function name(element: XmlElement, where: string): string {
  return text(element, "Name", where).replace(/\s+/g, " ");
}

function text(element: XmlElement, child: string, where: string): string {
  const found = optionalText(element, child, where);
  if (found === "") throw new DdfFormatError("definition", `${where}: no ${child}`);
  return found;
}

/** Trimmed; empty when the element is absent or empty. */
function optionalText(element: XmlElement, child: string, where: string, maxLength: number = limits.maxTextLength): string {
  const found = element.children.filter((candidate) => candidate.name === child);
  if (found.length > 1) throw new DdfFormatError("definition", `${where}: ${child} is given ${found.length} times`);
  const first = found[0];
  if (first === undefined) return "";
  if (first.children.length > 0) throw new DdfFormatError("definition", `${where}: ${child} holds elements, expected text`);
  const trimmed = first.text.trim();
  if (trimmed.length > maxLength)
    throw new DdfFormatError("definition", `${where}: ${child} has ${trimmed.length} characters, at most ${maxLength}`);
  return trimmed;
}

function keyword<T>(element: XmlElement, child: string, allowed: ReadonlyMap<string, T>, where: string): T {
  const found = optionalText(element, child, where, Number.POSITIVE_INFINITY);
  const key = found.toLowerCase().replace(/\s+/g, " ");
  if (!allowed.has(key)) {
    const expected = [...allowed.keys()].map((word) => (word === "" ? "empty" : word)).join(", ");
    throw new DdfFormatError("definition", `${where}: ${child} ${quote(found)} is not one of ${expected}`);
  }
  return allowed.get(key) as T; // `has` is true: the map holds a T under this key, which may itself be undefined.
}

function identifier(digits: string, where: string): number {
  const id = /^\d{1,5}$/.test(digits.trim()) ? Number(digits) : Number.NaN;
  if (!(id <= limits.maxIdentifier))
    throw new DdfFormatError("definition", `${where} ${quote(digits)} is not an identifier, 0 to ${limits.maxIdentifier}`);
  return id;
}

function quote(got: string): string {
  return JSON.stringify(got.slice(0, 64));
}
