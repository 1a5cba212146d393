/** A device in tests that sleeps until it is told to wake up, and what it is asked then. */
import assert from "node:assert/strict";
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { OutgoingResponse } from "@lwm2m/protocol/coap/message";
import { type OneDevice, oneDevice } from "../testing/one-device.ts";
import { content, senmlValue } from "../testing/scripted-device.ts";
import type { Operation, OperationRequest } from "./operation.ts";

const links = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>,</3303/1>';
const sleepy = (version: string): readonly string[] => ["lt=86400", `lwm2m=${version}`, ...(version === "1.0" ? ["b=UQ"] : ["b=U", "Q"])];
export const untilAsleepMs = 94_000;
export const changed: OutgoingResponse = { code: ResponseCode.changed };
export const battery = "/3/0/9";
export const maker = "/3/0/0";
export const temperature = "/3303/0/5700";
const values = new Map<string, string | number>([
  [battery, 87],
  [maker, "ACME"],
  [temperature, 21.5],
  ["/3/0/1", "sensor"],
  ["/3/0/13", 1_700_000_000],
]);

export const read = (path: string): OperationRequest => ({ kind: "read", path });
export const write = (path: string, value: string | number): OperationRequest => ({ kind: "write", path, value });

export interface Sleeper {
  readonly one: OneDevice;
  /** It answers every Read of what it has, alone and in lists. */
  answerReads(): void;
  /** It answers, registers and falls asleep. */
  open(version?: string): Promise<void>;
  /** The ids of the operations. */
  queue(...requests: readonly OperationRequest[]): Promise<readonly string[]>;
  stored(ids: readonly string[]): Promise<readonly Operation[]>;
  /** An Update, and what the device is asked in that time behind it. */
  wakeUp(forMs?: number): Promise<readonly string[]>;
}

/** To be called where the tests are declared. */
export function sleeper(): Sleeper {
  const one = oneDevice({ query: sleepy("1.1"), links });
  const answerReads = (): void => {
    const { answers } = one.device;
    for (const [path, value] of values) answers.set(`GET ${path}`, senmlValue(path, value));
    answers.set("FETCH /", ({ payload }) => {
      const asked = JSON.parse(new TextDecoder().decode(payload)) as readonly { readonly n: string }[];
      const found = asked.filter(({ n }) => values.has(n));
      return content(JSON.stringify(found.map(({ n }) => ({ n, [typeof values.get(n) === "number" ? "v" : "vs"]: values.get(n) }))));
    });
  };
  return {
    one,
    answerReads,
    async open(version = "1.1") {
      answerReads();
      await one.device.register({ query: sleepy(version) });
      await one.world.clock.advance(untilAsleepMs);
    },
    async queue(...requests) {
      const ids: string[] = [];
      for (const request of requests) {
        const outcome = await one.world.create("dev-1", request);
        assert.ok(outcome.ok, JSON.stringify(outcome));
        ids.push(outcome.operation._id);
      }
      return ids;
    },
    async stored(ids) {
      const found = await Promise.all(ids.map((id) => one.world.until(one.world.server.operations.find(id))));
      return found.filter((operation) => operation !== undefined);
    },
    async wakeUp(forMs = 1_000) {
      one.device.asked.length = 0;
      await one.device.update();
      await one.world.clock.advance(forMs);
      return [...one.device.asked];
    },
  };
}
