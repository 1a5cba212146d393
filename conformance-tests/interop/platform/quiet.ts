import assert from "node:assert/strict";
import { eventually, patienceMs } from "./deadline.ts";

/**
 * After a cancel of an observation. `read` asks the device for a value that moves by itself every second, so silence over two reads that
 * differ is silence after the cancel. `told`: how many notifications were told so far; before it is counted, the value moves on once, since
 * the answer to the cancel is a value of the observation too.
 */
export async function requireSilence(read: () => Promise<unknown>, told: () => number | Promise<number>): Promise<void> {
  const movedOn = async (): Promise<void> => {
    const first = await read();
    await eventually("the value to move on", patienceMs, async () => ((await read()) === first ? undefined : true));
  };
  await movedOn();
  const before = await told();
  await movedOn();
  assert.equal(await told(), before, "no notification after the cancel");
}
