/**
 * `node protocol/dist/fuzz-main.js [dtls] [--datagrams N] [--seed S]`: the long run of `fuzz/datagram-fuzz.ts`, or of `fuzz/dtls-fuzz.ts`;
 * exit 1 when something was found.
 */
import { fuzzEndpoint } from "./fuzz/datagram-fuzz.ts";
import { fuzzDtls } from "./fuzz/dtls-fuzz.ts";
// biome-ignore lint/style/noRestrictedImports: a main chooses the platform.
import { settledHeapBytes } from "./platform/settled-heap.ts";

const defaultDatagrams = 10_000_000;
const tellEvery = 250_000;
/** From the first measurement to any later one: compiled code and high-water marks; over the whole run a fifth of a byte per datagram. */
const mostHeapGrowthBytes = 2 * 1_048_576;

const [first, ...others] = process.argv.slice(2);
const fuzz = first === "dtls" ? fuzzDtls : fuzzEndpoint;
const { datagrams, seed } = readArguments(first === undefined || first === "dtls" ? others : [first, ...others]);
console.log(`${datagrams} datagrams, seed ${seed}`);
let heapAtFirst: number | undefined;
let tellAt = tellEvery;
try {
  const report = await fuzz(datagrams, seed, (sent) => {
    if (sent < tellAt) return;
    tellAt += tellEvery;
    const heap = settledHeapBytes();
    heapAtFirst ??= heap;
    console.log(`${sent} datagrams, ${Math.round(process.uptime())} s, heap ${(heap / 1_048_576).toFixed(1)} MiB`);
    if (heap - heapAtFirst > mostHeapGrowthBytes) throw new Error(`the heap grew from ${heapAtFirst} to ${heap} bytes`);
  });
  console.log(JSON.stringify(report));
} catch (error) {
  console.error(error instanceof Error ? error.stack : error);
  process.exit(1);
}

function readArguments(args: readonly string[]): { readonly datagrams: number; readonly seed: number } {
  const values = { datagrams: defaultDatagrams, seed: Math.floor(Math.random() * 2 ** 31) };
  for (let i = 0; i < args.length; i += 2) {
    const value = Number(args[i + 1]);
    const name = args[i] === "--datagrams" ? "datagrams" : args[i] === "--seed" ? "seed" : undefined;
    if (name === undefined || !Number.isInteger(value) || value < 0) {
      console.error("usage: fuzz-main.js [dtls] [--datagrams N] [--seed S]");
      process.exit(2);
    }
    values[name] = value;
  }
  return values;
}
