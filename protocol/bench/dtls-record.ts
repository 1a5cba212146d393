/** Nanoseconds to seal and to open a record of 64 B and of 1 kB, per back end and suite, with and without connection id. */
import { nodeRecordProtection } from "../dtls/crypto/node-record-protection.ts";
import { type KeyPlace, newRecordFacts, type RecordFacts, type RecordProtection, sealedBytes } from "../dtls/crypto/record-protection.ts";
import { suiteOf } from "../dtls/crypto/suites.ts";
import { ffiBackEnd } from "../dtls/crypto-ffi/ffi-back-end.ts";
import { memoryBytes } from "../dtls/crypto-ffi/native-calls.ts";
import { findOpenSslLibrary } from "../platform/openssl-library.ts";
import { systemRandom } from "../platform/system-random.ts";
import { type Figure, nanosecondsOf, rounded } from "./figure.ts";

interface BackEnd {
  readonly name: string;
  readonly protection: RecordProtection;
}

const ffi = findOpenSslLibrary(memoryBytes);
const made = ffi.ok ? ffiBackEnd(ffi.library, systemRandom) : ffi;
const backEnds: readonly BackEnd[] = [
  { name: "node:crypto, key as bytes", protection: nodeRecordProtection({ random: systemRandom, keyForm: "bytes" }) },
  { name: "node:crypto, key as object", protection: nodeRecordProtection({ random: systemRandom, keyForm: "key-object" }) },
  ...(made.ok ? [{ name: "calls into OpenSSL", protection: made.backEnd.recordProtection({ random: systemRandom }) }] : []),
];
/** PSK with CCM_8, GCM and CBC (encrypt-then-MAC). */
const suites = [0xc0a8, 0x00a8, 0x00ae] as const;
const sizes = [64, 1_024] as const;
const idBytes = 8;
const rowBytes = 256;

export function recordFigures(bench: string, seconds: number): Figure[] {
  const calls = backEnds.flatMap((backEnd) => suites.flatMap((suite) => sizes.flatMap((size) => callsOf(backEnd, suite, size))));
  const spent = nanosecondsOf(
    seconds,
    calls.map(({ call }) => call),
  );
  return calls.map(({ name }, i) => ({ bench, figure: name, value: rounded(spent[i] ?? 0), unit: "ns", against: null, ratio: null }));
}

function callsOf({ name, protection }: BackEnd, id: number, size: number): { name: string; call: () => number }[] {
  const suite = suiteOf(id);
  if (suite === undefined) throw new Error(`suite ${id} is gone`);
  const keys: KeyPlace = { suite, encryptThenMac: true, bytes: systemRandom.bytes(rowBytes), macKeyAt: 0, keyAt: 32, ivAt: 64 };
  const content = systemRandom.bytes(size);
  return [0, idBytes].flatMap((connectionIdBytes) => {
    const facts: RecordFacts = { ...newRecordFacts(), connectionId: systemRandom.bytes(idBytes), connectionIdBytes };
    const out = new Uint8Array(sealedBytes(keys, facts, size));
    const fragment = new Uint8Array(out.length);
    protection.seal(keys, facts, content, 0, size, fragment, 0);
    const what = `${suite.cipher} ${size} B${connectionIdBytes > 0 ? ", connection id" : ""} (${name})`;
    return [
      { name: `seal ${what}`, call: () => protection.seal(keys, facts, content, 0, size, out, 0) },
      { name: `open ${what}`, call: () => protection.open(keys, facts, fragment, 0, fragment.length, out, 0) },
    ];
  });
}
