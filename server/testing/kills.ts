/** kill -9 in a test: at which writes of a course the server dies, what still leaves it then, and how it comes back. */
import assert from "node:assert/strict";
import { type ServerWorld, serverAddress } from "./server-world.ts";

/** Before or after which write of a course the server dies. */
export interface Kill {
  /** Counts from 1. */
  readonly nth: number;
  readonly moment: "before" | "after";
}

/** With `KILLS=all` every moment is tried, otherwise a sample, so that the suites stay quick. */
export const isEveryKillTried = process.env["KILLS"] === "all";

/** The moments of a course of so many writes, two of each: one in `stride`, counted from the `first` on, or all of them. */
export function killsOf(writes: number, stride: number, first = 0): readonly Kill[] {
  const step = isEveryKillTried ? 1 : stride;
  return Array.from(
    { length: writes * 2 },
    (_, moment): Kill => ({ nth: (moment >> 1) + 1, moment: moment % 2 === 0 ? "before" : "after" }),
  ).filter((_, moment) => moment % step === first % step);
}

/** Virtual milliseconds that the server is away. */
const awayMs = 2_000;

/** One course of a server world from now on, in which the server may die. */
export class Mortal {
  readonly #world: ServerWorld;
  readonly #before: number;
  #isDead = false;
  #wasKilled = false;

  constructor(world: ServerWorld, kill?: Kill) {
    this.#world = world;
    this.#before = world.store.writes;
    if (kill === undefined) return;
    world.store.dieAtWrite(this.#before + kill.nth, kill.moment, () => {
      this.#isDead = true;
      // Nothing that a dead process had not handed to the network before leaves it.
      world.network.filter = ({ from }) => from.port !== serverAddress.port;
    });
  }

  /** Writes since the course began; means something for a course without a kill only, for a server that comes back counts anew. */
  get writes(): number {
    return this.#world.store.writes - this.#before;
  }

  /** The server died and came back. */
  get wasKilled(): boolean {
    return this.#wasKilled;
  }

  /** Brings the server back when it is dead; to be called as the course goes on. */
  async revive(): Promise<void> {
    if (!this.#isDead) return;
    this.#isDead = false;
    this.#wasKilled = true;
    await this.#world.kill();
    await this.#world.clock.advance(awayMs);
    this.#world.network.filter = () => true;
    await this.#world.start();
  }
}

/** The proof that a suite kills: most of the kills it tried did happen. */
export class KillTally {
  #tried = 0;
  #happened = 0;

  note({ wasKilled }: { readonly wasKilled: boolean }): void {
    this.#tried += 1;
    if (wasKilled) this.#happened += 1;
  }

  assertMost(): void {
    assert.ok(this.#happened > this.#tried / 2, `the server was killed ${this.#happened} times only, of ${this.#tried}`);
  }
}
