/**
 * The catalogue on disk: JSON lines, one object version each, by id and then version, facts only.
 *
 *   {"id":3,"version":"1.2","name":"Device","urn":"urn:…","multiple":false,"mandatory":true,"resources":[[9,"Battery Level","R","integer","","0..100","/100"],…]}
 *
 * A resource is [id, name, operations, type, flags, range, unit]; flags: `*` multiple, `!` mandatory; trailing empty strings are left off.
 * Id and version stand first, so that a line is found without parsing it.
 */
import type { ResourceType } from "@lwm2m/protocol/lwm2m/value";
import type { ObjectDefinition, ResourceDefinition, ResourceOperations } from "./definition.ts";

type ResourceRow = readonly [id: number, name: string, operations: ResourceOperations, ...rest: string[]];

interface ObjectRow {
  readonly id: number;
  readonly version: string;
  readonly name: string;
  readonly urn: string;
  readonly multiple: boolean;
  readonly mandatory: boolean;
  readonly resources: readonly ResourceRow[];
}

export function encodeDefinition(definition: ObjectDefinition): string {
  const { id, version, name, urn, multiple, mandatory, resources } = definition;
  const row: ObjectRow = { id, version, name, urn, multiple, mandatory, resources: [...resources.values()].map(encodeResource) };
  return JSON.stringify(row);
}

/** Reads what `encodeDefinition` wrote: the file is our own, so a broken line is a bug. */
export function decodeDefinition(line: string): ObjectDefinition {
  const row = JSON.parse(line) as ObjectRow; // Our own file, checked against the generator by its test.
  return { ...row, resources: new Map(row.resources.map((resource) => [resource[0], decodeResource(resource)])) };
}

/** Id and version of a line, without parsing the rest. */
export function keyOfLine(line: string): { readonly id: number; readonly version: string } {
  const match = /^\{"id":(\d+),"version":"([^"]+)"/.exec(line);
  const [, id, version] = match ?? [];
  if (id === undefined || version === undefined) throw new Error(`not a line of the catalogue: ${line.slice(0, 64)}`);
  return { id: Number(id), version };
}

function encodeResource(resource: ResourceDefinition): ResourceRow {
  const flags = (resource.multiple ? "*" : "") + (resource.mandatory ? "!" : "");
  const rest = [resource.type ?? "", flags, resource.range ?? "", resource.unit ?? ""];
  while (rest.at(-1) === "") rest.pop();
  return [resource.id, resource.name, resource.operations, ...rest];
}

function decodeResource(row: ResourceRow): ResourceDefinition {
  const [id, name, operations, type = "", flags = "", range = "", unit = ""] = row;
  return {
    id,
    name,
    operations,
    multiple: flags.includes("*"),
    mandatory: flags.includes("!"),
    type: type === "" ? undefined : (type as ResourceType),
    ...(range === "" ? {} : { range }),
    ...(unit === "" ? {} : { unit }),
  };
}
