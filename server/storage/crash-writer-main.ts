/** The victim of the crash test: writes to the store in the directory it is given and says on its output what was acknowledged. */
import process from "node:process";
import type { CollectionDefinition, StoredDocument } from "./collection.ts";
import { openEmbeddedStore } from "./embedded-store.ts";

interface CrashDocument extends StoredDocument {
  readonly n: number;
  readonly text?: string;
}

const definition: CollectionDefinition = { name: "crash", indexes: [{ name: "n", fields: ["n"] }] };
const [directory, round] = process.argv.slice(2);
if (directory === undefined || round === undefined) throw new Error("usage: crash-writer-main DIRECTORY ROUND");

const store = await openEmbeddedStore({ directory, collections: [definition] });
const documents = store.collection<CrashDocument>(definition);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
say("open");

async function insertForEver(lane: number): Promise<never> {
  for (let i = 0; ; i++) {
    const id = `r${round}-${lane}-${i}`;
    const outcome = await documents.insertOne({ _id: id, n: i, text: "x".repeat((i * 37) % 900) });
    if (outcome.ok) say(`document ${id}`);
  }
}

async function countForEver(): Promise<never> {
  for (;;) {
    const counted = await documents.findOneAndUpdate({ _id: "counter" }, { $inc: { n: 1 } }, { upsert: true });
    if (counted !== undefined) say(`counter ${counted.n}`);
  }
}

async function measureForEver(): Promise<never> {
  for (let i = 0; ; i += 20) {
    const timeMs = (at: number): number => Number(round) * 10_000_000 + i + at;
    const points = Array.from({ length: 20 }, (_, at) => ({
      endpoint: "ep",
      path: "/3303/0/5700",
      timeMs: timeMs(at),
      receivedMs: 0,
      value: at,
    }));
    await store.telemetry.append(points);
    say(`points ${timeMs(0)}`);
  }
}

async function putForEver(): Promise<never> {
  for (let i = 0; ; i++) {
    const put = await store.blobs.put(oneChunk(`blob ${round} ${i} ${"y".repeat(20_000)}`), { maxBytes: 1 << 20 });
    if (put.ok) say(`blob ${put.sha256}`);
  }
}

async function* oneChunk(text: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(text);
}

await Promise.all([...Array.from({ length: 8 }, (_, lane) => insertForEver(lane)), countForEver(), measureForEver(), putForEver()]);
