/** A plugtest case: its id, its purpose, and the steps both sides are asked for, with the checks of the description. */
import type { Scene } from "./party.ts";

export interface PlugtestCase {
  readonly title: string;
  /** The server sends notifications as NON where it decides that once for all. */
  readonly nonConfirmableNotifications?: true;
  run(scene: Scene): Promise<void>;
}

export type PlugtestCases = { readonly [id: string]: PlugtestCase };
