/** The storage thread: owns the database file; takes batches of requests, commits them together, answers them together. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { type SqlDriver, SqlError } from "./drivers/driver.ts";
import { openDriver } from "./drivers/open-driver.ts";
import { Engine } from "./engine.ts";
import type { AnswerBatch, RequestBatch, StoreRequest, WorkerMessage, WorkerSettings } from "./requests.ts";
import { configure, createSchema } from "./schema.ts";

/** Requests of one commit at most; the rest waits for the next, so that nobody's answer waits for everybody. */
const requestsPerCommit = 2_000;

if (parentPort !== null) await serve(parentPort, workerData as WorkerSettings);

async function serve(port: MessagePort, settings: WorkerSettings): Promise<void> {
  const send = (message: WorkerMessage): void => port.postMessage(message);
  let driver: SqlDriver;
  try {
    driver = await open(settings);
  } catch (error) {
    send({
      kind: "refused",
      code: error instanceof SqlError ? error.code : 0,
      message: error instanceof Error ? error.message : String(error),
    });
    port.close();
    return;
  }
  const engine = new Engine(driver, settings.definitions);
  port.on("message", (first: RequestBatch) => {
    const batches = drain(port, first);
    const answers = engine.execute(batches.flatMap((batch) => batch.requests));
    if (batches.at(-1)?.requests.at(-1)?.op === "close") {
      closeDriver(driver);
      port.removeAllListeners("message");
      send({ kind: "answers", batches: answersOf(batches, answers) });
      port.close();
      return;
    }
    send({ kind: "answers", batches: answersOf(batches, answers) });
  });
  send({ kind: "open" });
}

async function open({ file, driver: name, definitions }: WorkerSettings): Promise<SqlDriver> {
  const driver = await openDriver(name, file);
  try {
    configure(driver);
    createSchema(driver, definitions);
    return driver;
  } catch (error) {
    driver.close();
    throw error;
  }
}

/** Everything that has arrived while the last commit ran: the group of the next one. */
function drain(port: MessagePort, first: RequestBatch): readonly ParsedBatch[] {
  const batches = [parsed(first)];
  let count = batches[0]?.requests.length ?? 0;
  while (count < requestsPerCommit) {
    const next = receiveMessageOnPort(port) as { readonly message: RequestBatch } | undefined;
    if (next === undefined) break;
    const batch = parsed(next.message);
    batches.push(batch);
    count += batch.requests.length;
  }
  return batches;
}

interface ParsedBatch {
  readonly first: number;
  readonly requests: readonly StoreRequest[];
}

/** The main thread's guard has checked them. */
function parsed(batch: RequestBatch): ParsedBatch {
  return { first: batch.first, requests: JSON.parse(batch.requests) as StoreRequest[] };
}

function answersOf(batches: readonly ParsedBatch[], answers: ReturnType<Engine["execute"]>): readonly AnswerBatch[] {
  let from = 0;
  return batches.map(({ first, requests }) => {
    const part = answers.slice(from, from + requests.length);
    from += requests.length;
    return { first, answers: part.map((answer) => (answer.ok ? answer.text : answer)) };
  });
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
