/** The credentials of the accounts, made once: a session is resumed only with the very ones it was made with. */
import type { ClientCredentials } from "@lwm2m/protocol/dtls/credentials-contract";
import { findCoapUri } from "../coap-uri.ts";
import type { SecurityAccount } from "../objects/security-object.ts";
import { type CredentialOutcome, type CredentialSurroundings, makeClientCredentials } from "./client-credentials.ts";
import { type SecurityCredential, SecurityMode } from "./security-credential.ts";

type Secured = Pick<SecurityAccount, "uri" | "credential">;

interface Kept {
  readonly account: Secured;
  readonly outcome: CredentialOutcome;
}

/** A server and a bootstrap server, before and after a bootstrap. */
const mostKept = 4;

export class CredentialShelf {
  readonly #around: Omit<CredentialSurroundings, "host">;
  #kept: readonly Kept[] = [];

  constructor(around: Omit<CredentialSurroundings, "host">) {
    this.#around = around;
  }

  /** What is wrong with them; undefined also where none are needed. */
  problemOf(account: Secured): string | undefined {
    if (account.credential.mode === SecurityMode.noSec) return undefined;
    const outcome = this.#outcomeOf(account);
    return outcome.ok ? undefined : outcome.problem;
  }

  /** Undefined without security. Throws for an account with a problem. */
  credentialsOf(account: Secured): ClientCredentials | undefined {
    if (account.credential.mode === SecurityMode.noSec) return undefined;
    const outcome = this.#outcomeOf(account);
    if (!outcome.ok) throw new Error(`${account.uri}: ${outcome.problem}`);
    return outcome.credentials;
  }

  #outcomeOf(account: Secured): CredentialOutcome {
    const kept = this.#kept.find((each) => each.account.uri === account.uri && isSame(each.account.credential, account.credential));
    if (kept !== undefined) return kept.outcome;
    const outcome = makeClientCredentials(account.credential, { ...this.#around, host: findCoapUri(account.uri)?.host ?? "" });
    this.#kept = [{ account, outcome }, ...this.#kept].slice(0, mostKept);
    return outcome;
  }
}

function isSame(one: SecurityCredential, other: SecurityCredential): boolean {
  return (
    one.mode === other.mode &&
    one.matchingType === other.matchingType &&
    one.serverName === other.serverName &&
    one.certificateUsage === other.certificateUsage &&
    (one.cipherSuites ?? []).join() === (other.cipherSuites ?? []).join() &&
    Buffer.compare(one.identity, other.identity) === 0 &&
    Buffer.compare(one.serverKey, other.serverKey) === 0 &&
    Buffer.compare(one.secret, other.secret) === 0
  );
}
