/** Owner of work that nobody awaits: after a reply has left, on a timer. A failure there is a bug; it is logged, never lost and never fatal. */
import type { Log } from "./log.ts";

export interface Supervisor {
  /** `what` says in a few words what failed, for the log. */
  run(work: Promise<unknown>, what: string): void;
  /** Resolves when everything handed over so far, and what that handed over in turn, has ended. */
  settled(): Promise<void>;
}

export function openSupervisor(log: Pick<Log, "error">): Supervisor {
  const running = new Set<Promise<void>>();
  return {
    run(work, what) {
      const watched: Promise<void> = work.then(
        () => {
          running.delete(watched);
        },
        (error: unknown) => {
          running.delete(watched);
          log.error("background work failed", { what, error });
        },
      );
      running.add(watched);
    },
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
