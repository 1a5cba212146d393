/** Faults of alternatives (`oneOf`), which a validator reports for every branch: only those of the branch that was meant. Pure. */
import type { ErrorObject } from "ajv";

/** More names than these help nobody. */
const shownMembers = 40;

/** The faults of a branch take the place of the alternative where one of them lies deeper: that branch was meant. */
export function withoutAlternatives(faults: readonly ErrorObject[]): readonly ErrorObject[] {
  const dropped = new Set<ErrorObject>();
  for (const fault of faults) {
    if (fault.keyword !== "oneOf") continue;
    const within = faults.filter(({ schemaPath }) => schemaPath.startsWith(`${fault.schemaPath}/`));
    const deepest = within.reduce((depth, { instancePath }) => Math.max(depth, instancePath.length), 0);
    const meant =
      deepest > fault.instancePath.length ? branchOf(within.find(({ instancePath }) => instancePath.length === deepest)) : undefined;
    for (const inner of within) if (meant === undefined || branchOf(inner) !== meant) dropped.add(inner);
    if (meant !== undefined) dropped.add(fault);
  }
  return faults.filter((fault) => !dropped.has(fault));

  function branchOf(fault: ErrorObject | undefined): string | undefined {
    return fault === undefined ? undefined : /^.*\/oneOf\/\d+/.exec(fault.schemaPath)?.[0];
  }
}

/** Alternatives that are members one has to choose from, or types. */
export function alternativesDetail({ schema, params }: ErrorObject): string {
  const branches: readonly unknown[] = Array.isArray(schema) ? schema : [];
  const names = branches.flatMap((branch) => requiredOf(branch));
  const isTwice = Array.isArray(params["passingSchemas"]);
  if (names.length > 0) return isTwice ? `expected only one of ${names.join(", ")}` : `expected one of ${names.join(", ")}`;
  const types = branches.flatMap((branch) => typeOf(branch));
  return types.length > 0 ? `expected one of the types ${types.join(", ")}` : "fits none of the alternatives, or several";
}

/** Of an object whose members are listed: which there are. */
export function knownMembers({ parentSchema }: ErrorObject): string {
  const properties: unknown = parentSchema?.["properties"];
  const names = typeof properties === "object" && properties !== null ? Object.keys(properties) : [];
  if (names.length === 0 || names.length > shownMembers) return "";
  return `; there ${names.length === 1 ? "is" : "are"} ${names.join(", ")}`;
}

function requiredOf(branch: unknown): readonly string[] {
  const required: unknown = memberOf(branch, "required");
  return Array.isArray(required) && required.length === 1 && typeof required[0] === "string" ? [required[0]] : [];
}

function typeOf(branch: unknown): readonly string[] {
  const type = memberOf(branch, "type");
  return typeof type === "string" ? [type] : [];
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
