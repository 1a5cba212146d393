import assert from "node:assert/strict";
import { test } from "node:test";
import { inWorld, kinds, obedient } from "./session-fixture.ts";
import { type DeviceScript, text } from "./testing/scripted-device.ts";

/** Writes answered 2.01 (eclipse-leshan/leshan#156), links with white space. */
const deviating: DeviceScript = (request) => {
  if (request.line.startsWith("PUT")) return { code: "2.01" };
  if (request.line.startsWith("GET")) return { code: "2.05", contentFormat: 40, payload: text("</>;lwm2m=1.1, </0/0>, </0/1>;ssid=7") };
  return obedient(request);
};

test("field deviations: a session with them goes on, and says which were let pass", async () => {
  const tolerated: string[] = [];
  const onTolerated = (endpointName: string, codes: readonly string[]): void => void tolerated.push(`${endpointName} ${codes.join(" ")}`);
  await inWorld(
    async ({ clock, notices, device }) => {
      const dev2 = device(deviating);
      dev2.post("bs", ["ep=dev2"]);
      await clock.advance(1_000);
      assert.deepEqual(dev2.seen.slice(4), ["PUT /0/2 format 11542", "PUT /1/0 format 11542", "POST /bs"]);
      assert.equal(kinds(notices).at(-1), "finished");
    },
    { onTolerated },
  );
  assert.deepEqual(tolerated, ["dev2 link-whitespace", "dev2 unexpected-success-code", "dev2 unexpected-success-code"]);
});

test("field deviations: in strict mode each counts as a refusal, and the links are not read", async () => {
  const tolerated: string[] = [];
  await inWorld(
    async ({ clock, notices, device }) => {
      const dev2 = device(deviating);
      dev2.post("bs", ["ep=dev2"]);
      await clock.advance(1_000);
      assert.deepEqual(dev2.seen.slice(4), ["PUT /0/10 format 11542", "PUT /1/0 format 11542", "POST /bs"]);
      const last = notices.at(-1);
      assert.ok(last?.kind === "finished" && last.refused === 3, JSON.stringify(last));
      const strictFinish = device((request) => (request.line === "POST /bs" ? { code: "2.01" } : obedient(request)));
      strictFinish.post("bs", ["ep=dev1"]);
      await clock.advance(1_000);
      assert.equal(kinds(notices).at(-1), "failed finish-rejected");
    },
    { strict: true, onTolerated: (endpointName) => void tolerated.push(endpointName) },
  );
  assert.deepEqual(tolerated, []);
});
