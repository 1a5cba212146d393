/** Our emulated device managed by a foreign server. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makePackage } from "@lwm2m/client-emulator/firmware/package-format";
import type { Child } from "./platform/child.ts";
import { patienceMs } from "./platform/deadline.ts";
import { startDevice } from "./platform/device-process.ts";
import { LeshanServer } from "./platform/leshan.ts";
import { removeDirectory, temporaryDirectory } from "./platform/locations.ts";
import { field, type Json } from "./platform/rest-client.ts";
import { interopSuite } from "./platform/suite.ts";

const endpoint = "emulated";
const packageBytes = 100_000;

interopSuite("the emulated device against a Leshan 2 server", ["leshan-server"], () => {
  let leshan: LeshanServer;
  let device: Child;
  let directory: string;

  before(async () => {
    directory = await temporaryDirectory();
    leshan = await LeshanServer.start();
    device = startDevice(`coap://127.0.0.1:${leshan.port}`, endpoint, ["--lifetime", "60", "--interval", "1"]);
  });
  after(async () => {
    await device?.stop();
    await leshan?.child.stop();
    await removeDirectory(directory);
  });

  /** Runs a command to a success code and gives the whole result line. */
  async function succeed(command: string): Promise<Json> {
    const result = await leshan.run(command);
    const code = Number(field(result, "code"));
    assert.ok(code >= 200 && code < 300, `${command}: ${JSON.stringify(result)}`);
    return result;
  }
  const readValue = async (path: string): Promise<Json | undefined> => field(await succeed(`read ${endpoint} ${path}`), "value");
  const codeOf = async (command: string): Promise<Json | undefined> => field(await leshan.run(command), "code");

  test("LwM2M Core 1.1 §6.2.1: it registers with version, lifetime and objects", async () => {
    const event = await leshan.event("registered");
    assert.equal(field(event, "endpoint"), endpoint);
    assert.equal(field(event, "lwm2m"), "1.1");
    assert.equal(field(event, "lifetime"), 60);
    const links = String(field(event, "links"));
    for (const object of ["/1/0", "/3/0", "/3303/0"]) assert.ok(links.includes(`<${object}>`), `${object} in ${links}`);
    assert.ok(!links.includes("</0"), "the Security object is never registered");
  });

  test("LwM2M Core 1.1 §6.3.2: discovered at three levels", async () => {
    const object = JSON.stringify(field(await succeed(`discover ${endpoint} /3`), "links"));
    assert.ok(object.includes("</3/0/0>") && object.includes("</3/0/4>"), object);
    const instance = JSON.stringify(field(await succeed(`discover ${endpoint} /3303/0`), "links"));
    assert.ok(instance.includes("</3303/0/5700>"), instance);
    const resource = JSON.stringify(field(await succeed(`discover ${endpoint} /3/0/0`), "links"));
    assert.ok(resource.includes("</3/0/0>"), resource);
  });

  for (const [format, name] of [
    [0, "Leshan's own choice"],
    [11542, "TLV"],
    [110, "SenML JSON"],
    [112, "SenML CBOR"],
  ] as const) {
    test(`LwM2M Core 1.1 §7.4: read as object and instance in ${name}`, async () => {
      await leshan.run(`format ${format}`);
      const object = await readValue("/3303");
      assert.equal(typeof field(object, "0", "5700"), "number", JSON.stringify(object));
      const instance = await readValue("/3/0");
      assert.equal(typeof field(instance, "0"), "string", JSON.stringify(instance));
      assert.equal(typeof field(await readValue("/1/0"), "1"), "number");
      await leshan.run("format 0");
    });
  }

  test("LwM2M Core 1.1 §6.3.1: read of resources; what is not there is 4.04, an executable is 4.05", async () => {
    assert.equal(typeof (await readValue("/3/0/0")), "string");
    assert.equal(typeof (await readValue("/3303/0/5700")), "number");
    assert.equal(await codeOf(`read ${endpoint} /3303/99`), 404);
    assert.equal(await codeOf(`read ${endpoint} /3/0/4`), 405);
  });

  test("LwM2M Core 1.1 §6.3.3: written as resource, partial update and replace", async () => {
    await succeed(`write ${endpoint} /3/0/15 Europe/Paris`);
    assert.equal(await readValue("/3/0/15"), "Europe/Paris");
    for (const format of [11542, 110, 112]) {
      await leshan.run(`format ${format}`);
      await succeed(`update ${endpoint} /3/0 {"14":"+0${format % 10}:00"}`);
      assert.equal(await readValue("/3/0/14"), `+0${format % 10}:00`);
      assert.equal(await readValue("/3/0/15"), "Europe/Paris");
    }
    await leshan.run("format 0");
    await succeed(`write ${endpoint} /1/0 {"1":77,"6":true,"7":"U"}`);
    const account = await readValue("/1/0");
    assert.equal(field(account, "1"), 77);
    assert.equal(field(account, "6"), true);
    assert.equal(await codeOf(`write ${endpoint} /3/0/0 nobody`), 405, "a read-only resource");
  });

  test("LwM2M Core 1.1 §6.2.2: a new lifetime comes back in an Update", async () => {
    const from = leshan.child.mark;
    await succeed(`write ${endpoint} /1/0/1 90`);
    // The Update for the lifetime of the test before may still be on its way.
    await leshan.event("updated", { from, where: (entry) => field(entry, "lifetime") === 90 });
  });

  test("LwM2M Core 1.1 §6.3.5: executed; the registration update trigger answers and updates", async () => {
    await succeed(`execute ${endpoint} /3303/0/5605`);
    const from = leshan.child.mark;
    await succeed(`execute ${endpoint} /1/0/8`);
    await leshan.event("updated", { from });
    assert.equal(await codeOf(`execute ${endpoint} /3/0/0`), 405, "a readable resource");
  });

  test("LwM2M Core 1.1 §6.3.6, §6.3.7: instances are created and deleted, and the registration follows", async () => {
    const from = leshan.child.mark;
    await succeed(`create ${endpoint} /3303/7 {}`);
    assert.equal(typeof (await readValue("/3303/7/5700")), "number");
    await leshan.event("updated", { from, where: (entry) => String(field(entry, "links")).includes("</3303/7>") });
    const chosen = field(await succeed(`create ${endpoint} /3303 {}`), "location");
    assert.match(String(chosen), /^\/?3303\/\d+$/);
    await succeed(`delete ${endpoint} /3303/7`);
    await succeed(`delete ${endpoint} /${String(chosen).replace(/^\//, "")}`);
    assert.equal(await codeOf(`read ${endpoint} /3303/7`), 404);
    assert.equal(await codeOf(`delete ${endpoint} /3/0`), 405, "the Device object stays");
  });

  test("LwM2M Core 1.1 §5.1.2, §6.4: attributes are written and shown; notifications come; an active cancel is answered", async () => {
    const path = "/3303/0/5700";
    await succeed(`attributes ${endpoint} ${path} pmin=1&pmax=3`);
    const links = JSON.stringify(field(await succeed(`discover ${endpoint} ${path}`), "links"));
    assert.ok(links.includes("pmin=1") && links.includes("pmax=3"), links);
    const from = leshan.child.mark;
    await succeed(`observe ${endpoint} ${path}`);
    // pmax is 3 s: the third notification comes after 9 s at the latest.
    const third = await leshan.event("notification", { path, from, nth: 3 });
    assert.equal(typeof field(third, "value"), "number");
    const last = await succeed(`cancel ${endpoint} ${path}`);
    assert.equal(typeof field(last, "value"), "number", "an active cancel is answered with the value");
  });

  test("LwM2M Core 1.1 appendix E.6: firmware pushed by Block1 is installed and reported after the reboot", async () => {
    const file = join(directory, "firmware");
    await writeFile(file, makePackage("sensor", "7.0.0", new Uint8Array(packageBytes).fill(7)));
    await succeed(`push ${endpoint} /5/0/0 ${file}`);
    assert.equal(await readValue("/5/0/3"), 2, "State: Downloaded");
    const from = leshan.child.mark;
    await succeed(`execute ${endpoint} /5/0/2`);
    await leshan.event("registered", { from });
    assert.equal(await readValue("/5/0/5"), 1, "Update Result: success");
    assert.equal(await readValue("/5/0/3"), 0, "State: Idle");
    assert.equal(await readValue("/3/0/3"), "7.0.0");
  });

  test("LwM2M Core 1.1 §6.2.3: Ctrl-C de-registers", async () => {
    const from = leshan.child.mark;
    device.kill("SIGINT");
    await leshan.event("deregistered", { from });
    assert.equal((await device.end(patienceMs)).code, 0);
  });
});

interopSuite("the emulated device as others configure it, against a Leshan 2 server", ["leshan-server"], () => {
  let leshan: LeshanServer;
  before(async () => {
    leshan = await LeshanServer.start();
  });
  after(async () => {
    await leshan?.child.stop();
  });

  const variants = [
    { flags: ["--version", "1.0", "--format", "tlv"], lwm2m: "1.0", binding: "U", queue: null },
    { flags: ["--version", "1.0", "--queue"], lwm2m: "1.0", binding: "UQ", queue: null },
    { flags: ["--queue"], lwm2m: "1.1", binding: "U", queue: true },
  ];
  for (const [index, { flags, lwm2m, binding, queue }] of variants.entries()) {
    test(`LwM2M Core 1.1 §6.2.1: ${flags.join(" ")} registers and is read`, async () => {
      const name = `variant-${index}`;
      const device = startDevice(`coap://127.0.0.1:${leshan.port}`, name, flags);
      try {
        const event = await leshan.child.line("registration", (line) => (line.includes(`"${name}"`) ? line : undefined));
        const registered: Json = JSON.parse(event);
        assert.equal(field(registered, "lwm2m"), lwm2m);
        assert.equal(field(registered, "binding"), binding);
        assert.equal(field(registered, "queue"), queue);
        const read = await leshan.run(`read ${name} /3303`);
        assert.equal(typeof field(read, "value", "0", "5700"), "number", JSON.stringify(read));
      } finally {
        await device.stop();
      }
    });
  }
});
