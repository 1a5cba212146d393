/** Works off cases one after the other; a case never stops the next. */
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { CaseResult, ConformanceCase, Criterion, Role, Stage, Verdict } from "./case.ts";
import { messageCases } from "./cases/message-cases.ts";
import { registrationCases } from "./cases/registration-cases.ts";
import type { WirePeer } from "./platform/wire-peer.ts";

export const allCases: readonly ConformanceCase[] = [...registrationCases, ...messageCases];

/** The prefix differs between editions, the number does not: `101`, `int-101` and any `LightweightM2M-1.x-int-101` name one case. */
export function findCase(role: Role, id: string): ConformanceCase | undefined {
  const number = numberOf(id);
  return allCases.find((each) => each.role === role && (each.id === id || (number !== undefined && numberOf(each.id) === number)));
}

export interface Surroundings {
  openPeer(trace: string[]): Promise<WirePeer>;
  uniqueName(): string;
  readonly clock: Clock;
}

type Outcome = Pick<CaseResult, "verdict" | "detail">;

export async function runCase(conformanceCase: ConformanceCase, surroundings: Surroundings): Promise<CaseResult> {
  const { clock } = surroundings;
  const trace: string[] = [];
  const criteria: Criterion[] = [];
  const peers: WirePeer[] = [];
  const stage: Stage = {
    async openPeer() {
      const peer = await surroundings.openPeer(trace);
      peers.push(peer);
      return peer;
    },
    endpointName: () => surroundings.uniqueName(),
    check(text, met, evidence) {
      criteria.push({ text, met, ...(met || evidence === undefined ? {} : { evidence }) });
    },
    wait: (seconds) => new Promise((resolve) => clock.after(seconds * 1_000, resolve)),
  };
  const startedAt = clock.now();
  const { id, title, limitSeconds } = conformanceCase;
  const outcome = await new Promise<Outcome>((resolve) => {
    const limit = clock.after(limitSeconds * 1_000, () => resolve({ verdict: "Out of Time" }));
    conformanceCase
      .run(stage)
      .then(() => resolve({ verdict: judge(criteria) }))
      .catch((error: unknown) => resolve({ verdict: "Inconclusive", detail: String(error) }))
      .finally(() => limit.cancel());
  });
  for (const peer of peers) peer.close();
  return { id, title, ...outcome, seconds: (clock.now() - startedAt) / 1_000, criteria: [...criteria], trace: [...trace] };
}

function judge(criteria: readonly Criterion[]): Verdict {
  if (criteria.length === 0) return "Inconclusive";
  return criteria.every(({ met }) => met) ? "Pass" : "Fail";
}

function numberOf(id: string): number | undefined {
  const found = /^(?:(?:LightweightM2M-\d\.\d-)?int-)?(\d+)$/.exec(id);
  return found === null ? undefined : Number(found[1]);
}
