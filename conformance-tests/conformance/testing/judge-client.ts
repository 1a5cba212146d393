/** The cases for clients as tests, one a case: each client under test has a file of its own, because they take a minute. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import type { Verdict } from "../case.ts";
import { type ClientCommand, ClientSource } from "../platform/client-source.ts";
import { WireServer } from "../platform/wire-server.ts";
import { caseText } from "../report.ts";
import { allCases, runCase } from "../runner.ts";

const cases = allCases.filter(({ role }) => role === "client");

/** One test a case; `known` names those that do not pass, what they come to. */
export function judgeClient(
  who: string,
  commandFor: (uri: string) => ClientCommand,
  known: ReadonlyMap<string, Verdict | "left out"> = new Map(),
): void {
  let server: WireServer;
  before(async () => {
    server = await WireServer.open({ host: "127.0.0.1", port: 0 });
  });
  after(() => server.close());

  for (const each of cases) {
    const expected = known.get(each.id) ?? "Pass";
    if (expected === "left out") continue;
    test(`${each.id} (${who}): ${each.title}${expected === "Pass" ? "" : `: ${expected}`}`, async () => {
      const source = new ClientSource(server, commandFor(`coap://127.0.0.1:${server.port}`));
      const result = await runCase(each, { openPeer: noPeer, uniqueName: () => "", clock: systemClock, source });
      assert.equal(result.verdict, expected, caseText(result));
    });
  }
}

function noPeer(): Promise<never> {
  return Promise.reject(new Error("clients come by themselves"));
}

/** A command line for the shell. */
export function quoted(parts: readonly string[]): string {
  return `exec ${parts.map((part) => `'${part}'`).join(" ")}`;
}
