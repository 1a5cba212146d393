/** The command line of `npm run conformance`. */
import { parseArgs } from "node:util";
import type { ConformanceCase, Role } from "./case.ts";
import { parseTarget, type WireTarget } from "./platform/wire-peer.ts";
import { allCases, findCase } from "./runner.ts";

export const usage = `npm run conformance -- --role client|server|bootstrap --target coap://HOST[:PORT] [--cases ID,ID] [--json FILE]
  --role    the part under test
  --target  where it listens
  --cases   ids (101 is short for LightweightM2M-1.1-int-101); default: all of the role
  --json    write the report with all messages there as well
  --list    name the cases of the role and stop
Exit code 0: every case passed; 1: one did not; 2: nothing was run.`;

export interface Options {
  readonly role: Role;
  readonly cases: readonly ConformanceCase[];
  /** Undefined: only list them. */
  readonly target: WireTarget | undefined;
  readonly targetText: string;
  readonly jsonFile: string | undefined;
}

const roles: readonly Role[] = ["client", "server", "bootstrap"];

/** Throws a RangeError whose message is for the user. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parse(args);
  const role = roles.find((each) => each === values.role);
  if (role === undefined) throw new RangeError(`--role: got ${values.role ?? "nothing"}, expected ${roles.join(", ")}`);
  const ofRole = allCases.filter((each) => each.role === role);
  if (ofRole.length === 0) throw new RangeError(`no case for the role ${role} is written yet; there are cases for server`);
  const cases = values.cases === undefined ? ofRole : values.cases.split(",").map((id) => known(role, id.trim()));
  const listed = values.list === true;
  if (!listed && values.target === undefined) throw new RangeError("--target: got nothing, expected coap://host[:port]");
  const targetText = values.target ?? "";
  return { role, cases, target: listed ? undefined : parseTarget(targetText), targetText, jsonFile: values.json };
}

function known(role: Role, id: string): ConformanceCase {
  const found = findCase(role, id);
  if (found === undefined) throw new RangeError(`--cases: no case ${id} for the role ${role}; --list names them`);
  return found;
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: { role: text, target: text, cases: text, json: text, list: { type: "boolean" } },
      strict: true,
    });
  } catch (error) {
    throw new RangeError(error instanceof Error ? error.message : String(error));
  }
}
