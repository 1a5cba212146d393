/** Works off cases one after the other; a case never stops the next. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import {
  type CaseResult,
  type ConfiguredNames,
  type ConformanceCase,
  type Criterion,
  NotApplicable,
  type Role,
  type ServerStage,
  type Verdict,
} from "./case.ts";
import { bootstrapCases } from "./cases/bootstrap-cases.ts";
import { clientAccessCases } from "./cases/client-access-cases.ts";
import { clientRegistrationCases } from "./cases/client-registration-cases.ts";
import { clientReportCases } from "./cases/client-report-cases.ts";
import { clientWriteCases } from "./cases/client-write-cases.ts";
import { bootstrapMessageCases, clientMessageCases, serverMessageCases } from "./cases/message-cases.ts";
import { registrationCases } from "./cases/registration-cases.ts";
import { type ClientSource, registerWithinMs } from "./platform/client-source.ts";
import type { Note, WirePeer } from "./platform/wire-peer.ts";

export const allCases: readonly ConformanceCase[] = [
  ...registrationCases,
  ...serverMessageCases,
  ...bootstrapCases,
  ...bootstrapMessageCases,
  ...clientRegistrationCases,
  ...clientAccessCases,
  ...clientWriteCases,
  ...clientReportCases,
  ...clientMessageCases,
];

/** The prefix differs between editions, the number does not: `101`, `int-101` and any `LightweightM2M-1.x-int-101` name one case. */
export function findCase(role: Role, id: string): ConformanceCase | undefined {
  const number = numberOf(id);
  return allCases.find((each) => each.role === role && (each.id === id || (number !== undefined && numberOf(each.id) === number)));
}

export interface Surroundings {
  openPeer(note: Note): Promise<WirePeer>;
  uniqueName(): string;
  readonly clock: Clock;
  /** For the role `bootstrap`. */
  readonly configured?: ConfiguredNames | undefined;
  /** For the role `client`. */
  readonly source?: ClientSource | undefined;
}

type Outcome = Pick<CaseResult, "verdict" | "detail">;

export async function runCase(conformanceCase: ConformanceCase, surroundings: Surroundings): Promise<CaseResult> {
  const { clock, source } = surroundings;
  const trace: string[] = [];
  const criteria: Criterion[] = [];
  const peers: WirePeer[] = [];
  const note: Note = (line) => trace.push(line);
  const stage: ServerStage = {
    async openPeer() {
      const peer = await surroundings.openPeer(note);
      peers.push(peer);
      return peer;
    },
    endpointName: () => surroundings.uniqueName(),
    check(text, met, evidence) {
      criteria.push({ text, met, ...(met || evidence === undefined ? {} : { evidence }) });
    },
    wait: (seconds) => new Promise((resolve) => clock.after(seconds * 1_000, resolve)),
    now: () => clock.now(),
  };
  const startedAt = clock.now();
  const { id, title, limitSeconds } = conformanceCase;
  source?.beginCase(note);
  const outcome = await new Promise<Outcome>((resolve) => {
    const limit = clock.after(limitSeconds * 1_000 + (source === undefined ? 0 : registerWithinMs), () =>
      resolve({ verdict: "Out of Time" }),
    );
    perform(conformanceCase, stage, surroundings)
      .then(() => resolve({ verdict: judge(criteria) }))
      .catch((error: unknown) => resolve(broken(error)))
      .finally(() => limit.cancel());
  });
  const result = { id, title, ...outcome, seconds: (clock.now() - startedAt) / 1_000, criteria: [...criteria], trace: [...trace] };
  for (const peer of peers) peer.close();
  await source?.endCase();
  return result;
}

async function perform(conformanceCase: ConformanceCase, stage: ServerStage, { configured, source }: Surroundings): Promise<void> {
  switch (conformanceCase.role) {
    case "server":
      return conformanceCase.run(stage);
    case "bootstrap":
      if (configured === undefined) throw new Error("a case for bootstrap servers needs endpoint names");
      return conformanceCase.run({ ...stage, configured });
    case "client": {
      if (source === undefined) throw new Error("a case for clients needs a client");
      const { check, wait, now } = stage;
      const { server } = source;
      return conformanceCase.run({ check, wait, now, server, client: () => source.client(), endClient: () => source.end() });
    }
  }
}

function broken(error: unknown): Outcome {
  if (error instanceof NotApplicable) return { verdict: "Not Applicable", detail: error.message };
  return { verdict: "Inconclusive", detail: String(error) };
}

function judge(criteria: readonly Criterion[]): Verdict {
  if (criteria.length === 0) return "Inconclusive";
  return criteria.every(({ met }) => met) ? "Pass" : "Fail";
}

function numberOf(id: string): number | undefined {
  const found = /^(?:(?:LightweightM2M-\d\.\d-)?int-)?(\d+)$/.exec(id);
  return found === null ? undefined : Number(found[1]);
}
