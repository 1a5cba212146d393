/** The store goes away at each call of a start in turn (`MOMENTS=all`, otherwise at one in twelve): the server waits for it and starts by itself. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { type TestContext, test } from "node:test";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import { type AppDeps, openApp } from "./app.ts";
import { collections } from "./collections.ts";
import { json } from "./http/door-fixture.ts";
import { openLog } from "./log.ts";
import { parseSettings } from "./settings/config.ts";
import { StartAbandoned } from "./start-error.ts";
import { StorageUnavailableError } from "./storage/collection.ts";
import { openEmbeddedStore } from "./storage/embedded-store.ts";
import type { Store } from "./storage/store.ts";
import { aDevice, anApp, key, register } from "./testing/plain-app.ts";
import { aDataDirectory } from "./testing/secured-app.ts";

const strideOfMoments = process.env["MOMENTS"] === "all" ? 1 : 12;
/** The pause before the second try. */
const pauseMs = 1_000;

test("the store goes away in the middle of a start: alive and not ready meanwhile, then everything is there and answers", async (t) => {
  const directory = await aDataDirectory(t);
  await leaveWork(t, directory);
  const undisturbed = await start(t, directory, undefined);
  assert.ok(undisturbed.calls > 20, `${undisturbed.calls} calls`);
  let moments = 0;
  for (let nth = 1; nth <= undisturbed.calls; nth += strideOfMoments) {
    const { tries, waited, warnings, faults } = await start(t, directory, nth);
    const about = `gone at call ${nth} of ${undisturbed.calls}`;
    // What runs beside the start comes sooner or later, so the last moments may lie behind it.
    if (tries === 1) continue;
    moments += 1;
    assert.deepEqual(waited, [{ ready: 503, reasons: ["the store cannot be reached"], live: 200, api: 503 }], about);
    assert.deepEqual(warnings, ["the store went away while the server started, the server waits for it"], about);
    assert.deepEqual(faults, [], about);
  }
  assert.ok(moments >= 5, `${moments} moments`);
});

test("told to stop while it waits for a store that went away: nothing is wrong, and nothing stays open", async (t) => {
  const directory = await aDataDirectory(t);
  let stop = (): void => {};
  const stopAsked = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const clock: Clock = {
    now: () => systemClock.now(),
    after(delayMs, callback) {
      if (delayMs !== pauseMs) return systemClock.after(delayMs, callback);
      stop();
      return { cancel: () => {} };
    },
  };
  const { deps } = depsOf(directory, clock, async () => goneAt(await embedded(directory), 5).store);
  await assert.rejects(openApp({ ...deps, stopAsked }), StartAbandoned);
  const { app } = await anApp(t, directory);
  assert.equal((await fetch(`${app.httpOrigin}/health/ready`)).status, 200);
});

/** Something of many kinds that a start looks at. */
async function leaveWork(t: TestContext, directory: string): Promise<void> {
  const { app, ask } = await anApp(t, directory);
  const send = await aDevice(t, app.coapPort, () => ({ code: ResponseCode.content, payload: "ACME" }));
  await send({ ...register("sleeper", 86_400), query: ["ep=sleeper", "lt=86400", "lwm2m=1.0", "b=UQ"] });
  const more: readonly (readonly [string, string, object])[] = [
    ["POST", "/groups", { name: "all", members: ["sleeper"] }],
    ["POST", "/observations", { endpoint: "sleeper", path: "/3/0/9" }],
    ["PUT", "/devices/sleeper/desired", { values: { "/3/0/15": "UTC" } }],
    ["POST", "/devices/sleeper/operations", { kind: "write", path: "/3/0/14", value: "+01:00" }],
  ];
  for (const [method, path, body] of more) {
    const { status } = await ask(path, { method, ...json(body), headers: { ...json(body).headers, prefer: "respond-async" } });
    assert.ok(status < 500, `${method} ${path}: ${status}`);
  }
  await app.close();
}

interface Waited {
  readonly ready: number;
  readonly reasons: unknown;
  readonly live: number;
  readonly api: number;
}

interface Course {
  readonly tries: number;
  /** Of the store, by the first try. */
  readonly calls: number;
  readonly waited: readonly Waited[];
  readonly warnings: readonly string[];
  /** Behind the last try's beginning. */
  readonly faults: readonly string[];
}

async function start(t: TestContext, directory: string, nth: number | undefined): Promise<Course> {
  const waited: Waited[] = [];
  const clock: Clock = {
    now: () => systemClock.now(),
    after(delayMs, callback) {
      if (delayMs !== pauseMs || !logged("waiting")) return systemClock.after(delayMs, callback);
      // The pause lasts as long as somebody looks at the door.
      const looked = look(portOf("waiting")).then((seen) => waited.push(seen));
      looked.finally(callback).catch(() => {});
      return { cancel: () => {} };
    },
  };
  const tries: { readonly calls: number }[] = [];
  let linesBefore = 0;
  const { deps, lines } = depsOf(directory, clock, async () => {
    const opened = goneAt(await embedded(directory), tries.length === 0 ? nth : undefined);
    tries.push(opened);
    linesBefore = lines.length;
    return opened.store;
  });
  const logged = (message: string): boolean => lines.some((line) => JSON.parse(line).message === message);
  const portOf = (message: string): number =>
    Number(JSON.parse(lines.findLast((line) => JSON.parse(line).message === message) ?? "{}").port);

  const app = await openApp(deps);
  t.after(() => app.close());
  const calls = tries[0]?.calls ?? 0;
  if (nth !== undefined && tries.length === 1) {
    await app.close();
    return { tries: 1, calls, waited, warnings: [], faults: [] };
  }
  const ready = await fetch(`${app.httpOrigin}/health/ready`);
  assert.equal(ready.status, 200, await ready.text());
  const device = await fetch(`${app.httpOrigin}/api/v1/devices/sleeper`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(device.status, 200);
  assert.notEqual(Reflect.get(Object(await device.json()), "registration"), null);
  const send = await aDevice(t, app.coapPort, () => ({ code: ResponseCode.content, payload: "ACME" }));
  assert.equal((await send(register("newcomer"))).code, ResponseCode.created);
  await app.close();
  const of = (level: string, from: number) => lines.slice(from).filter((line) => JSON.parse(line).level === level);
  return {
    ...{ tries: tries.length, calls, waited },
    warnings: of("warn", 0)
      .map((line) => JSON.parse(line).message)
      .filter((message) => message.startsWith("the store")),
    faults: of("error", linesBefore),
  };
}

async function look(port: number): Promise<Waited> {
  const origin = `http://127.0.0.1:${port}`;
  const ready = await fetch(`${origin}/health/ready`);
  return {
    ready: ready.status,
    reasons: Reflect.get(Object(await ready.json()), "reasons"),
    live: (await fetch(`${origin}/health/live`)).status,
    api: (await fetch(`${origin}/api/v1/devices`, { headers: { authorization: `Bearer ${key}` } })).status,
  };
}

function embedded(directory: string): Promise<Store> {
  return openEmbeddedStore({ directory, collections, strictFilters: true });
}

/** From the nth call on it refuses every one, as a store that cannot be reached does. */
function goneAt(store: Store, nth: number | undefined) {
  const opened = { calls: 0, store };
  const gate = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, name) {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          opened.calls += 1;
          if (nth !== undefined && opened.calls >= nth) return Promise.reject(new StorageUnavailableError("gone"));
          return member.apply(object, args);
        };
      },
    });
  opened.store = {
    ...store,
    isShared: true,
    collection: (definition) => gate(store.collection(definition)),
    telemetry: gate(store.telemetry),
  };
  return opened;
}

function depsOf(directory: string, clock: Clock, openStore: () => Promise<Store>) {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const ports = { HTTP_PORT: "0", COAP_PORT: "0", BOOTSTRAP_COAP_PORT: "0", COAP_RECEIVE_BUFFER_BYTES: "65536" };
  const parsed = parseSettings({ DATA_DIR: directory, API_KEY: key, COAP_HOST: "127.0.0.1", ...ports }, []);
  const settings = parsed.kind === "settings" ? parsed.settings : assert.fail();
  const deps: AppDeps = {
    ...{ settings, clock, openStore, random: systemRandom, strict: true },
    log: openLog({ level: "info", pretty: false, sink }),
  };
  return { deps, lines };
}
