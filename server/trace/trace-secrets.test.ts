import assert from "node:assert/strict";
import { test } from "node:test";
import { openCatalogue } from "@lwm2m/object-registry/catalogue";
import { deviceModel } from "../registration/device-model.ts";
import { FirmwareWorld, image } from "../testing/firmware-world.ts";
import { restOf } from "../testing/rest.ts";
import type { TracedMessage } from "./trace-rings.ts";
import { traceViews } from "./trace-view.ts";

const context = { model: deviceModel(openCatalogue(), undefined), rootPath: "" };

function message(direction: "in" | "out", hex: string, text: string): TracedMessage {
  const bytes = Buffer.concat([Buffer.from(hex, "hex"), Buffer.from(text)]);
  return { door: "bootstrap-coap", direction, at: 0, peer: { address: "10.0.0.2", port: 1 }, sizeBytes: bytes.length, bytes };
}

const key = "c2VjcmV0LWtleQ";
const pack = `[{"bn":"/0/0/","n":"5","vd":"${key}"},{"n":"0","vs":"coaps://example.org"}]`;
/** GET /bspack, token 01, and the start of its 2.05 with Content-Format 110. */
const [askPack, answerPack] = ["4101000101b6627370 61636b".replace(" ", ""), "6145000101c16e"];

test("LwM2M Core 1.2 §6.1.7: a bootstrap pack is shown without its keys, whole, in blocks, or when it cannot be read", () => {
  const asked = message("in", askPack, "");
  const whole = message("out", `${answerPack}ff`, pack);
  // RFC 7959 §2.2: block 0 of several, 1,024 bytes each; block 1, the last.
  const first = message("out", `${answerPack}b10eff`, pack.slice(0, 40));
  const last = message("out", `${answerPack}b116ff`, pack.slice(40));
  const unreadable = message("out", `${answerPack}ff`, `{${pack}`);
  for (const answers of [[whole], [first, last], [unreadable]]) {
    const shown = JSON.stringify(traceViews([asked, ...answers], context));
    assert.match(shown, /"hidden":/);
    for (const secret of [key, Buffer.from(pack).toString("hex").slice(40, 60)]) assert.equal(shown.includes(secret), false, shown);
  }
  const parts = JSON.stringify(traceViews([asked, whole], context));
  assert.match(parts, /coaps:|"path":"\/0\/0\/0"/);
});

test("what a device says itself is shown as it is, also in blocks", () => {
  // POST /dp with Content-Format 110 and Block1 0, more to come.
  const part = message("in", "4102000101b26470116ed1020eff", '[{"n":"/3/0/9","v":');
  assert.match(JSON.stringify(traceViews([part], context)), /3\/0\/9/);
});

test("a firmware download is shown block by block without a byte of the package", async () => {
  const firmware = await FirmwareWorld.open();
  const { world, device } = firmware;
  const rest = restOf(world);
  assert.equal((await rest("PUT", "/devices/dev-1/trace")).status, 204);
  await device.device.register();
  const id = await firmware.start();
  for (let step = 0; step < 400 && (await world.until(world.server.updates.find(id)))?.active === true; step += 1)
    await world.clock.advance(500);
  const shown = JSON.stringify((await rest("GET", "/devices/dev-1/trace?limit=1000")).body);
  assert.match(shown, /"name":"Uri-Path","value":"fw"/);
  assert.match(shown, /"name":"Block2"/);
  for (let at = 0; at + 32 < image.length; at += 32) {
    const bytes = Buffer.from(image.subarray(at, at + 32));
    for (const text of [bytes.toString("hex"), bytes.toString("base64")]) assert.equal(shown.includes(text), false, `bytes ${at} and on`);
  }
  world.server.traces.close();
  await firmware.close();
});
