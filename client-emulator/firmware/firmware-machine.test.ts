import assert from "node:assert/strict";
import { test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { type FirmwareEvent, FirmwareState, type FirmwareStatus, idleFirmware, step } from "./firmware-machine.ts";
import type { FirmwarePackage, PackageVerdict } from "./package-format.ts";

const image: FirmwarePackage = { name: "app", version: "2.0.0", contentBytes: 10 };
const good: PackageVerdict = { ok: true, package: image };
const bad = (result: number): PackageVerdict => ({ ok: false, result });
const uri = "coap://192.0.2.1/fw";

const idle = idleFirmware();
const idleWithUri: FirmwareStatus = { ...idle, uri };
const downloading: FirmwareStatus = { ...idle, state: FirmwareState.downloading, uri };
const downloaded: FirmwareStatus = { ...idle, state: FirmwareState.downloaded, uri, image };
const updating: FirmwareStatus = { ...downloaded, state: FirmwareState.updating };

const { changed, methodNotAllowed, badRequest, requestEntityTooLarge } = ResponseCode;

interface Row {
  readonly title: string;
  readonly from: FirmwareStatus;
  readonly event: FirmwareEvent;
  readonly state: number;
  readonly result: number;
  readonly reply?: number;
  readonly effects?: readonly string[];
}

const rows: readonly Row[] = [
  {
    title: "push: the whole package",
    from: idle,
    event: { kind: "package-written", verdict: good },
    state: 2,
    result: 0,
    effects: ["abort-download"],
  },
  {
    title: "pull: a usable URI",
    from: idle,
    event: { kind: "uri-written", uri },
    state: 0,
    result: 0,
    effects: ["abort-download", "download"],
  },
  { title: "pull: the download begins", from: idleWithUri, event: { kind: "download-started" }, state: 1, result: 0 },
  { title: "pull: nothing to begin with", from: idle, event: { kind: "download-started" }, state: 0, result: 0 },
  { title: "pull: finished and verified", from: downloading, event: { kind: "download-finished", verdict: good }, state: 2, result: 0 },
  { title: "pull: flash full", from: downloading, event: { kind: "download-finished", verdict: bad(2) }, state: 0, result: 2 },
  { title: "pull: out of memory", from: downloading, event: { kind: "download-failed", result: 3 }, state: 0, result: 3 },
  { title: "pull: connection lost", from: downloading, event: { kind: "download-failed", result: 4 }, state: 0, result: 4 },
  { title: "pull: integrity", from: downloading, event: { kind: "download-finished", verdict: bad(5) }, state: 0, result: 5 },
  { title: "pull: unknown package type", from: downloading, event: { kind: "download-finished", verdict: bad(6) }, state: 0, result: 6 },
  { title: "pull: URI unusable", from: idle, event: { kind: "uri-written", uri: "x", problem: 7 }, state: 0, result: 7 },
  { title: "pull: nothing behind the URI", from: downloading, event: { kind: "download-failed", result: 7 }, state: 0, result: 7 },
  { title: "pull: scheme unsupported", from: idle, event: { kind: "uri-written", uri: "ftp://x/y", problem: 9 }, state: 0, result: 9 },
  {
    title: "push: flash full",
    from: idle,
    event: { kind: "package-written", verdict: bad(2) },
    state: 0,
    result: 2,
    reply: requestEntityTooLarge,
    effects: ["abort-download"],
  },
  {
    title: "push: integrity",
    from: idle,
    event: { kind: "package-written", verdict: bad(5) },
    state: 0,
    result: 5,
    effects: ["abort-download"],
  },
  {
    title: "push: unknown package type",
    from: idle,
    event: { kind: "package-written", verdict: bad(6) },
    state: 0,
    result: 6,
    effects: ["abort-download"],
  },
  {
    title: "reset in Idle after a failure",
    from: idleFirmware(8),
    event: { kind: "reset" },
    state: 0,
    result: 0,
    effects: ["abort-download"],
  },
  { title: "reset in Downloading", from: downloading, event: { kind: "reset" }, state: 0, result: 0, effects: ["abort-download"] },
  { title: "reset in Downloaded", from: downloaded, event: { kind: "reset" }, state: 0, result: 0, effects: ["abort-download"] },
  { title: "Update in Downloaded", from: downloaded, event: { kind: "update-executed" }, state: 3, result: 0, effects: ["install"] },
  { title: "update succeeded", from: updating, event: { kind: "install-finished", result: 1 }, state: 0, result: 1 },
  { title: "update failed, package still usable", from: updating, event: { kind: "install-finished", result: 8 }, state: 2, result: 8 },
  { title: "update failed, package unusable", from: updating, event: { kind: "install-finished", result: 5 }, state: 0, result: 5 },
  {
    title: "Cancel in Downloading",
    from: downloading,
    event: { kind: "cancel-executed" },
    state: 0,
    result: 10,
    effects: ["abort-download"],
  },
  {
    title: "Cancel in Downloaded",
    from: downloaded,
    event: { kind: "cancel-executed" },
    state: 0,
    result: 10,
    effects: ["abort-download"],
  },
  { title: "Cancel in Updating", from: updating, event: { kind: "cancel-executed" }, state: 3, result: 0, reply: methodNotAllowed },
  { title: "Cancel in Idle", from: idle, event: { kind: "cancel-executed" }, state: 0, result: 0, reply: methodNotAllowed },
  {
    title: "Update in Idle (LightweightM2M-1.0-int-772)",
    from: idle,
    event: { kind: "update-executed" },
    state: 0,
    result: 0,
    reply: methodNotAllowed,
  },
  { title: "Update in Downloading", from: downloading, event: { kind: "update-executed" }, state: 1, result: 0, reply: methodNotAllowed },
  { title: "Update in Updating", from: updating, event: { kind: "update-executed" }, state: 3, result: 0, reply: methodNotAllowed },
  { title: "URI in Downloading", from: downloading, event: { kind: "uri-written", uri }, state: 1, result: 0, reply: badRequest },
  {
    title: "package in Downloading",
    from: downloading,
    event: { kind: "package-written", verdict: good },
    state: 1,
    result: 0,
    reply: badRequest,
  },
  { title: "URI in Downloaded", from: downloaded, event: { kind: "uri-written", uri }, state: 2, result: 0, reply: badRequest },
  {
    title: "package in Downloaded",
    from: downloaded,
    event: { kind: "package-written", verdict: good },
    state: 2,
    result: 0,
    reply: badRequest,
  },
  { title: "URI in Updating", from: updating, event: { kind: "uri-written", uri }, state: 3, result: 0, reply: methodNotAllowed },
  {
    title: "package in Updating",
    from: updating,
    event: { kind: "package-written", verdict: good },
    state: 3,
    result: 0,
    reply: methodNotAllowed,
  },
  { title: "reset in Updating", from: updating, event: { kind: "reset" }, state: 3, result: 0, reply: methodNotAllowed },
  { title: "reboot in Downloading", from: downloading, event: { kind: "rebooted" }, state: 0, result: 4, effects: ["abort-download"] },
  { title: "reboot in Updating", from: updating, event: { kind: "rebooted" }, state: 3, result: 0 },
  { title: "a download that ended after a reset", from: idle, event: { kind: "download-finished", verdict: good }, state: 0, result: 0 },
];

for (const row of rows) {
  test(`LwM2M object 5: ${row.title}`, () => {
    const { status, effects, reply } = step(row.from, row.event);
    assert.deepEqual(
      { state: status.state, result: status.result, reply, effects: effects.map((effect) => effect.kind) },
      { state: row.state, result: row.result, reply: row.reply ?? changed, effects: row.effects ?? [] },
    );
  });
}

test("LwM2M object 5: a reset takes the image with it, a failed update keeps it", () => {
  assert.equal(step(downloaded, { kind: "reset" }).status.image, undefined);
  assert.equal(step(updating, { kind: "install-finished", result: 8 }).status.image, image);
  assert.equal(step(updating, { kind: "install-finished", result: 5 }).status.image, undefined);
});
