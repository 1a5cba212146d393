/** Who came under a name that is not its own: counted, logged and told as event, both at a bounded rate, for anybody can do it. */
import type { Peer } from "@lwm2m/protocol/coap/message";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import { BoundedLines } from "../bounded-lines.ts";
import type { EventLog } from "../events/event.ts";
import type { Log } from "../log.ts";
import type { Realm } from "../security/device-credentials.ts";
import type { Supervisor } from "../supervisor.ts";
import type { IdentityRefusal } from "./device-identities.ts";
import { identityView, registeredIdentity } from "./registered-identity.ts";

export interface MismatchDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, "warn">;
  readonly events: EventLog;
  readonly supervisor: Supervisor;
}

const perMinute = 60;
const keyBytes = 12;

export class MismatchReports {
  readonly #deps: MismatchDeps;
  readonly #lines: BoundedLines;
  readonly #counters: { [reason in IdentityRefusal]: number } = { "other-endpoint": 0, "unknown-identity": 0, unsecured: 0, unnamed: 0 };

  constructor(deps: MismatchDeps) {
    this.#deps = deps;
    this.#lines = new BoundedLines(deps.clock, perMinute);
  }

  get counters(): { readonly [reason in IdentityRefusal]: number } {
    return this.#counters;
  }

  note(realm: Realm, { address, identity }: Peer, named: string | undefined, reason: IdentityRefusal): void {
    this.#counters[reason] += 1;
    const line = this.#lines.take();
    if (line === undefined) return;
    const { clock, random, log, events, supervisor } = this.#deps;
    const about = {
      realm,
      reason,
      identity: identityView(registeredIdentity(identity)),
      address: { address: address.address, port: address.port },
      ...line,
    };
    log.warn("identity and endpoint name do not match", { endpoint: named ?? null, ...about });
    const key = `identity/${Buffer.from(random.bytes(keyBytes)).toString("base64url")}`;
    const draft = { key, type: "security.identityMismatch", subject: named ?? "(unnamed)", timeMs: clock.now(), data: about } as const;
    supervisor.run(events.append([draft]), "log an identity mismatch");
  }
}
