/**
 * OMA object definition files (DDF XML) to definitions: LwM2M Core 1.1 appendix D, schemas LWM2M.xsd (1.0) and LWM2M-v1_1.xsd.
 *
 * Read leniently where the published files differ from the schemas: order of elements, case and space around the keywords,
 * a missing ObjectVersion (the URN has it, else 1.0), a type on an executable resource, none on a readable one.
 */
import type { ResourceType } from "@lwm2m/protocol/lwm2m/value";
import { type DdfFault, DdfFormatError } from "./ddf-format-error.ts";
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

export interface DdfReading {
  /** At least one. */
  readonly definitions: readonly ObjectDefinition[];
  /** What the file says and no definition keeps: a range that cannot be enforced, a resource without a type. */
  readonly warnings: readonly DdfFault[];
}

/** Every object of one file, at least one. Throws `DdfFormatError`. */
export function parseDdf(xml: string): readonly ObjectDefinition[] {
  return readDdf(xml).definitions;
}

/** The same with what the author of the file should know. Throws `DdfFormatError` with one fault for each object and resource that has any. */
export function readDdf(xml: string): DdfReading {
  const root = readXml(xml);
  if (root.name !== "LWM2M") throw faultAt(root, `the root element is ${root.name}, expected LWM2M`);
  const objects = root.children.filter((child) => child.name === "Object");
  if (objects.length === 0) throw faultAt(root, "no Object element in LWM2M");
  const findings: Findings = { faults: [], warnings: [] };
  const definitions: ObjectDefinition[] = [];
  const seen = new Set<string>();
  for (const [index, object] of objects.entries()) {
    const definition = attempt(findings, () => parseObject(object, index, findings));
    if (definition === undefined) continue;
    const key = `${definition.id} ${definition.version}`;
    if (seen.has(key)) findings.faults.push(fault(object, `object ${definition.id}: version ${definition.version} is defined twice`));
    seen.add(key);
    definitions.push(definition);
  }
  const [first, ...more] = findings.faults;
  if (first !== undefined) throw new DdfFormatError("definition", [first, ...more]);
  return { definitions, warnings: findings.warnings };
}

interface Findings {
  readonly faults: DdfFault[];
  readonly warnings: DdfFault[];
}

/** Undefined when it failed; the fault is kept and the reader goes on with the next element. */
function attempt<T>(findings: Findings, parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof DdfFormatError)) throw error;
    findings.faults.push(...error.faults);
    return undefined;
  }
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

function parseObject(object: XmlElement, index: number, findings: Findings): ObjectDefinition | undefined {
  const where = `object number ${index + 1} of the file`;
  const id = identifier(object, text(object, "ObjectID", where), `${where}: ObjectID`);
  const facts = attempt(findings, () => parseObjectFacts(object, id));
  const resources = parseResources(object, `object ${id}`, findings);
  return facts === undefined ? undefined : { ...facts, resources };
}

function parseObjectFacts(object: XmlElement, id: number): Omit<ObjectDefinition, "resources"> {
  const where = `object ${id}`;
  const urn = text(object, "ObjectURN", where);
  if (!urn.startsWith("urn:") || !urn.split(":").includes(String(id)))
    throw faultAt(childOf(object, "ObjectURN"), `${where}: ObjectURN ${quote(urn)} does not name object ${id}`);
  return {
    id,
    name: name(object, where),
    version: parseVersion(object, urn, where),
    urn,
    multiple: keyword(object, "MultipleInstances", multipleInstances, where),
    mandatory: keyword(object, "Mandatory", mandatory, where),
  };
}

function parseVersion(object: XmlElement, urn: string, where: string): string {
  const version = optionalText(object, "ObjectVersion", where) || /:(\d+\.\d+)$/.exec(urn)?.[1] || "1.0";
  const numbers = findVersion(version);
  if (numbers === undefined)
    throw faultAt(childOf(object, "ObjectVersion"), `${where}: ObjectVersion ${quote(version)} is not major.minor`);
  // Devices register the plain form: 01.0 would never be found.
  return `${numbers.major}.${numbers.minor}`;
}

function parseResources(object: XmlElement, where: string, findings: Findings): ReadonlyMap<number, ResourceDefinition> {
  const container = childOf(object, "Resources");
  const items = container.children.filter((child) => child.name === "Item");
  if (items.length === 0) findings.faults.push(fault(container, `${where}: no Item in Resources`));
  const resources = new Map<number, ResourceDefinition>();
  for (const [index, item] of items.entries()) {
    attempt(findings, () => {
      const idText = item.attributes.get("ID");
      if (idText === undefined) throw faultAt(item, `${where}, item number ${index + 1}: no ID attribute`);
      const id = identifier(item, idText, `${where}, item number ${index + 1}: ID`);
      if (resources.has(id)) throw faultAt(item, `${where}: resource ${id} is defined twice`);
      resources.set(id, parseResource(item, id, `${where}, resource ${id}`, findings));
    });
  }
  return new Map([...resources].sort(([a], [b]) => a - b));
}

function parseResource(item: XmlElement, id: number, where: string, findings: Findings): ResourceDefinition {
  const allowed = keyword(item, "Operations", operations, where);
  const declared = keyword(item, "Type", types, where);
  // An executable resource has no value; one published file gives it a type all the same.
  const type = allowed === "E" ? undefined : declared;
  const rangeText = optionalText(item, "RangeEnumeration", where, Number.POSITIVE_INFINITY);
  const range = findRange(rangeText, type);
  const unit = optionalText(item, "Units", where);
  const warn = (child: string, detail: string): unknown => findings.warnings.push(fault(childOf(item, child), `${where}: ${detail}`));
  if (allowed !== "E" && type === undefined) warn("Type", "has no Type: values are shown as the device encodes them");
  if (allowed === "E" && declared !== undefined) warn("Type", "a resource that is executed has no Type");
  if (rangeText !== "" && range === undefined) warn("RangeEnumeration", `RangeEnumeration ${quote(rangeText)} is not enforced`);
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
  if (found === "") throw faultAt(childOf(element, child), `${where}: no ${child}`);
  return found;
}

/** Trimmed; empty when the element is absent or empty. */
function optionalText(element: XmlElement, child: string, where: string, maxLength: number = limits.maxTextLength): string {
  const found = element.children.filter((candidate) => candidate.name === child);
  const [first, second] = found;
  if (second !== undefined) throw faultAt(second, `${where}: ${child} is given ${found.length} times`);
  if (first === undefined) return "";
  if (first.children.length > 0) throw faultAt(first, `${where}: ${child} holds elements, expected text`);
  const trimmed = first.text.trim();
  if (trimmed.length > maxLength) throw faultAt(first, `${where}: ${child} has ${trimmed.length} characters, at most ${maxLength}`);
  return trimmed;
}

function keyword<T>(element: XmlElement, child: string, allowed: ReadonlyMap<string, T>, where: string): T {
  const found = optionalText(element, child, where, Number.POSITIVE_INFINITY);
  const key = found.toLowerCase().replace(/\s+/g, " ");
  if (!allowed.has(key)) {
    const expected = [...allowed.keys()].map((word) => (word === "" ? "empty" : word)).join(", ");
    throw faultAt(childOf(element, child), `${where}: ${child} ${quote(found)} is not one of ${expected}`);
  }
  return allowed.get(key) as T; // `has` is true: the map holds a T under this key, which may itself be undefined.
}

function identifier(element: XmlElement, digits: string, where: string): number {
  const id = /^\d{1,5}$/.test(digits.trim()) ? Number(digits) : Number.NaN;
  if (!(id <= limits.maxIdentifier)) throw faultAt(element, `${where} ${quote(digits)} is not an identifier, 0 to ${limits.maxIdentifier}`);
  return id;
}

/** The child, or where it would be. */
function childOf(element: XmlElement, child: string): XmlElement {
  return element.children.find((candidate) => candidate.name === child) ?? { ...element, children: [] };
}

function faultAt(element: XmlElement, message: string): DdfFormatError {
  return new DdfFormatError("definition", [fault(element, message)]);
}

function fault({ line, path }: XmlElement, message: string): DdfFault {
  return { detail: `line ${line}: ${message}`, line, path };
}

function quote(got: string): string {
  return JSON.stringify(got.slice(0, 64));
}
