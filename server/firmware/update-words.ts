/** What an update waits for, in words for people. */
import { finalStates, type WaitingFor } from "./update.ts";
import type { UpdateStep } from "./update-step.ts";

export const waitsForNothing: WaitingFor = { code: "nothing", text: "The update is over." };

const effectWords = {
  look: "read of its firmware state (/5/0 and /3/0/3)",
  reset: "reset (an empty Package URI)",
  offer: "write of the Package URI (/5/0/1)",
  apply: "Execute of Update (/5/0/2)",
} as const;

export function waitingFor({ state, effect }: UpdateStep): WaitingFor {
  if (finalStates.includes(state)) return waitsForNothing;
  if (effect !== "none") return { code: "answer", text: `The device's answer to a ${effectWords[effect]}; sent when it is awake.` };
  switch (state) {
    case "downloading":
      return { code: "download", text: "The device to fetch the package and to report State 2 (Downloaded)." };
    case "applying":
    case "rebooting":
      return { code: "restart", text: "The device to install the package, restart and register again." };
    case "verifying":
      return { code: "report", text: "The device to report Update Result 1 and the new version." };
    case "retryWait":
      return { code: "retry", text: "The pause before the next attempt." };
    default:
      return { code: "turn", text: "Its turn." };
  }
}
