/** That the table of the ETSI CoAP plugtest is whole: every id with every peer in every role runs, or says why not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pairings, plugtestIds, reasonAgainst, unknownIds } from "./coverage.ts";
import { plugtestCases } from "./plugtest-suite.ts";

test("the ETSI list: 24 cases of CORE, 9 of LINK, 6 of BLOCK, 13 of OBS", () => {
  const count = (group: string) => plugtestIds.filter((id) => id.startsWith(`TD_COAP_${group}_`)).length;
  assert.deepEqual([count("CORE"), count("LINK"), count("BLOCK"), count("OBS"), new Set(plugtestIds).size], [24, 9, 6, 13, 52]);
  assert.deepEqual(unknownIds(), [], "reasons about cases there are not");
});

for (const pairing of pairings) {
  test(`${pairing}: every case runs, or the table says in a sentence why it cannot`, () => {
    for (const id of plugtestIds) {
      const reason = reasonAgainst(id, pairing);
      if (reason === undefined) assert.ok(plugtestCases[id], `${id}: no steps and no reason`);
      else assert.ok(reason.length > 20, `${id}: ${reason}`);
    }
  });
}

test("every case runs with somebody else's client against our server", () => {
  for (const id of plugtestIds) {
    assert.ok(
      pairings.some((pairing) => pairing.endsWith("asks us") && reasonAgainst(id, pairing) === undefined),
      id,
    );
  }
});
