/** The command line of `npm run conformance`. */
import { parseArgs } from "node:util";
import type { ConfiguredNames, ConformanceCase, Role } from "./case.ts";
import type { ClientCommand } from "./platform/client-source.ts";
import { parseTarget, type WireTarget } from "./platform/wire-peer.ts";
import { allCases, findCase } from "./runner.ts";

export const usage = `npm run conformance -- --role client|server|bootstrap --target coap://HOST[:PORT] [--cases ID,ID] [--json FILE]
  --role      the part under test
  --target    where it listens; for the role client, where the runner listens as its LwM2M server
  --cases     ids (101 is short for LightweightM2M-1.1-int-101); default: all of the role
  --json      write the report with all messages there as well
  --list      name the cases of the role and stop
Role client:
  --command   shell command that starts the client, pointed at --target: run anew for each case. Without it one client,
              started by hand, serves all cases
  --stop      how the command is asked to end: sigint (default) or stdin (the end of its standard input)
  --wait      seconds to wait for a client started by hand (default 120)
Role bootstrap:
  --endpoint  NAME,NAME: two endpoint names the bootstrap server has a configuration for
              (default conformance-device,conformance-neighbour)
Exit code 0: every case passed or does not apply; 1: one did not pass; 2: nothing was run.`;

export interface Options {
  readonly role: Role;
  readonly cases: readonly ConformanceCase[];
  /** Undefined: only list them. */
  readonly target: WireTarget | undefined;
  readonly targetText: string;
  readonly jsonFile: string | undefined;
  readonly command: ClientCommand | undefined;
  readonly waitSeconds: number;
  readonly configured: ConfiguredNames;
}

const roles: readonly Role[] = ["client", "server", "bootstrap"];
const usualWaitSeconds = 120;

/** Throws a RangeError whose message is for the user. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parse(args);
  const role = roles.find((each) => each === values.role);
  if (role === undefined) throw new RangeError(`--role: got ${values.role ?? "nothing"}, expected ${roles.join(", ")}`);
  for (const { name, of } of flagsOfOneRole)
    if (values[name] !== undefined && of !== role) throw new RangeError(`--${name} is for the role ${of}`);
  const ofRole = allCases.filter((each) => each.role === role);
  const cases = values.cases === undefined ? ofRole : values.cases.split(",").map((id) => known(role, id.trim()));
  const listed = values.list === true;
  if (!listed && values.target === undefined) throw new RangeError("--target: got nothing, expected coap://host[:port]");
  const targetText = values.target ?? "";
  return {
    role,
    cases,
    target: listed ? undefined : parseTarget(targetText),
    targetText,
    jsonFile: values.json,
    command: commandOf(values.command, values.stop),
    waitSeconds: secondsOf(values.wait),
    configured: namesOf(values.endpoint),
  };
}

const flagsOfOneRole = [
  { name: "command", of: "client" },
  { name: "stop", of: "client" },
  { name: "wait", of: "client" },
  { name: "endpoint", of: "bootstrap" },
] as const;

function commandOf(line: string | undefined, stop = "sigint"): ClientCommand | undefined {
  if (stop !== "sigint" && stop !== "stdin") throw new RangeError(`--stop: got ${stop}, expected sigint or stdin`);
  return line === undefined ? undefined : { line, stop };
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return usualWaitSeconds;
  if (!/^\d{1,5}$/.test(text)) throw new RangeError(`--wait: got ${text}, expected seconds`);
  return Number(text);
}

function namesOf(text = "conformance-device,conformance-neighbour"): ConfiguredNames {
  const [device = "", neighbour = "", ...more] = text.split(",").map((name) => name.trim());
  if (device === "" || neighbour === "" || device === neighbour || more.length > 0)
    throw new RangeError(`--endpoint: got ${text}, expected two names with a comma between them`);
  return { device, neighbour };
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
      options: {
        role: text,
        target: text,
        cases: text,
        json: text,
        command: text,
        stop: text,
        wait: text,
        endpoint: text,
        list: { type: "boolean" },
      },
      strict: true,
    });
  } catch (error) {
    throw new RangeError(error instanceof Error ? error.message : String(error));
  }
}
