import assert from "node:assert/strict";
import { test } from "node:test";
import type { DtlsNews } from "@lwm2m/protocol/dtls/endpoint-contract";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { dtlsNewsLog } from "../doors/dtls-news.ts";
import { parseSettings } from "./config.ts";
import { dtlsLimits, handshakeSettings } from "./dtls-settings.ts";

function settingsOf(env: { readonly [name: string]: string }) {
  const parsed = parseSettings(env, []);
  return parsed.kind === "settings" ? parsed.settings : assert.fail(JSON.stringify(parsed));
}

test("RFC 7925 §11, RFC 7627: what the settings make of a handshake", () => {
  const usual = handshakeSettings(settingsOf({}));
  assert.deepEqual([usual.initialTimeoutMs, usual.requireExtendedMasterSecret, usual.connectionIdBytes], [undefined, true, 8]);
  assert.equal(usual.cipherSuites?.[0], 0xc0a8);
  const other = handshakeSettings(
    settingsOf({ DTLS_HANDSHAKE_PROFILE: "constrained", DTLS_CBC: "on", DTLS_EXTENDED_MASTER_SECRET: "optional", DTLS_CID_BYTES: "0" }),
  );
  assert.deepEqual([other.initialTimeoutMs, other.requireExtendedMasterSecret, other.connectionIdBytes], [9_000, false, 0]);
  assert.deepEqual(other.cipherSuites?.slice(-2), [0xc023, 0x00ae]);
  assert.equal(usual.cipherSuites?.includes(0x00ae), false, "CBC is not offered unless asked for");
});

test("connections, rate and age become bounds of the endpoint", () => {
  const limits = dtlsLimits(settingsOf({ DTLS_CONNECTIONS: "500", DTLS_HANDSHAKE_RATE: "10", DTLS_MAX_AGE_DAYS: "2" }));
  assert.deepEqual(limits, { connections: 500, handshakesPerSecond: 10, handshakeBurst: 20, mostAgeMs: 172_800_000 });
});

test("failed handshakes are thirty lines a minute at most, and the next says how many were left out", async () => {
  const clock = new VirtualClock();
  const lines: (readonly [string, unknown])[] = [];
  const write = (message: string, fields?: { readonly [name: string]: unknown }): void => void lines.push([message, fields?.["leftOut"]]);
  const tell = dtlsNewsLog({ error: write, warn: write, info: write, debug: write }, clock, "coaps");
  const failed: DtlsNews = {
    kind: "handshake-failed",
    address: { address: "2001:db8::1", port: 1 },
    failure: "psk-mismatch",
    reason: "x",
  };
  for (let i = 0; i < 100; i += 1) tell(failed);
  await clock.advance(60_000);
  tell(failed);
  assert.equal(lines.length, 31);
  assert.deepEqual(lines.at(-1), ["handshake failed", 70]);
});
