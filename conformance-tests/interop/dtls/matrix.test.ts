/** Every cell of the matrix that can be run. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { interopSuite } from "../platform/suite.ts";
import { connectCell, serveCell } from "./cells.ts";
import { type MatrixPeer, peerNames, reasonAgainst, roles } from "./matrix.ts";
import { gnutls } from "./platform/gnutls.ts";
import { KeyFiles } from "./platform/key-files.ts";
import { mbedtls } from "./platform/mbedtls.ts";
import { nodeDtlsClient } from "./platform/node-dtls-client.ts";
import { openssl } from "./platform/openssl.ts";
import type { DtlsPeer } from "./platform/peer.ts";
import { pion } from "./platform/pion.ts";
import { scandium } from "./platform/scandium.ts";
import { featureNames } from "./wish.ts";

const peers: readonly (readonly [MatrixPeer, DtlsPeer])[] = [
  ["openssl", openssl],
  ["gnutls", gnutls],
  ["mbedtls", mbedtls],
  ["pion", pion],
  ["scandium", scandium],
  ["node-dtls-client", nodeDtlsClient],
];
/** Cells run side by side: most of their time is a program starting, or a peer that waits before it gives up. */
const concurrency = 4;

const files = new KeyFiles();
after(() => files.remove());

test("every peer and feature is in the matrix: run, or one sentence why not", () => {
  assert.deepEqual(
    peers.map(([name]) => name),
    peerNames,
  );
  for (const role of roles) {
    for (const feature of featureNames) {
      const reasons = peerNames.map((name) => reasonAgainst(name, role, feature));
      assert.ok(reasons.includes(undefined), `${feature} with us as ${role} runs with nobody`);
      for (const reason of reasons) assert.ok(reason === undefined || reason.split(" ").length > 3, `${feature}: ${reason}`);
    }
  }
});

for (const [name, peer] of peers) {
  interopSuite(
    `${name} asks us`,
    [name],
    () => {
      for (const feature of featureNames) {
        if (reasonAgainst(name, "server", feature) !== undefined) continue;
        test(`${feature}`, () => serveCell(peer, feature, files));
      }
    },
    concurrency,
  );
  if (peer.serve === undefined) continue;
  interopSuite(
    `we ask ${name}`,
    [name],
    () => {
      for (const feature of featureNames) {
        if (reasonAgainst(name, "client", feature) !== undefined) continue;
        test(`${feature}`, () => connectCell(peer, feature, files));
      }
    },
    concurrency,
  );
}
