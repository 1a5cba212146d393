/** The storage thread: owns the database file; takes batches of requests, commits them together, answers them together. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { CommitPace } from "./commit-pace.ts";
import { type SqlDriver, SqlError } from "./drivers/driver.ts";
import { openDriver } from "./drivers/open-driver.ts";
import { Engine } from "./engine.ts";
import { usualTexts, type WorkerMessage, type WorkerSettings } from "./requests.ts";
import { configure, createSchema } from "./schema.ts";
import type { SchemaChange } from "./schema-steps.ts";
import { WaitingRequests } from "./waiting-requests.ts";
import { inspectLog } from "./write-ahead-log.ts";

if (parentPort !== null) await serve(parentPort, workerData as WorkerSettings);

async function serve(port: MessagePort, settings: WorkerSettings): Promise<void> {
  const send = (message: WorkerMessage): void => port.postMessage(message);
  let opened: { readonly driver: SqlDriver; readonly schema: SchemaChange };
  try {
    opened = await open(settings);
  } catch (error) {
    send({
      kind: "refused",
      code: error instanceof SqlError ? error.code : 0,
      message: error instanceof Error ? error.message : String(error),
    });
    port.close();
    return;
  }
  const { driver, schema } = opened;
  const engine = new Engine(driver, settings.definitions);
  const waiting = new WaitingRequests(port);
  const pace = new CommitPace();
  port.on("message", (text: string) => {
    waiting.add(text);
    while (waiting.next() !== undefined) {
      const isLast = waiting.next()?.op === "close";
      pace.begin();
      const answers = engine.execute(waiting.group(pace), pace.commit);
      if (isLast) closeDriver(driver);
      send({ kind: "answers", answers: answers.map((answer) => (answer.ok ? shortest(answer.text) : answer)) });
      if (!isLast) continue;
      port.removeAllListeners("message");
      port.close();
      return;
    }
  });
  send({ kind: "open", schema });
}

const usualPlaces = new Map(usualTexts.map((text, place) => [text, place]));

function shortest(text: string): string | number {
  return usualPlaces.get(text) ?? text;
}

async function open({ file, driver: name, definitions }: WorkerSettings) {
  const log = inspectLog(file);
  const driver = await openDriver(name, file);
  try {
    log.readWithLock(() => configure(driver));
    return { driver, schema: createSchema(driver, definitions) };
  } catch (error) {
    driver.close();
    throw error;
  }
}

/** Leaves one tidy file: statistics for the planner, and no write-ahead log beside it. */
function closeDriver(driver: SqlDriver): void {
  try {
    driver.exec("PRAGMA optimize");
    driver.all("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // The log is read at the next open just as well.
  }
  driver.close();
}
