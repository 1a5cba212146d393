/** What the device measures by itself, at a steady interval: temperatures and the signal of its radio. */
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import type { Random } from "@lwm2m/protocol/ports/random";
import type { ObjectTree } from "../tree/object-tree.ts";
import { moveSignal } from "./connectivity-object.ts";
import { moveTemperatures } from "./temperature-object.ts";

export interface Sensors {
  close(): void;
}

/** `intervalMs` 0: nothing moves. */
export function openSensors(tree: ObjectTree, clock: Clock, random: Random, intervalMs: number): Sensors {
  let timer: Timer | undefined;
  const arm = (): void => {
    timer = clock.after(intervalMs, () => {
      moveTemperatures(tree, random);
      moveSignal(tree, random);
      arm();
    });
  };
  if (intervalMs > 0) arm();
  return { close: () => timer?.cancel() };
}
