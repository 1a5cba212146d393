/** Which form of a key this version of Node takes at least cost: `bench/dtls-record.ts` measures both. */
import type { KeyForm } from "../dtls/crypto/node-record-protection.ts";

/** In these raw bytes cost more than ten microseconds a record. */
const slowWithBytes: ReadonlySet<string> = new Set(["24"]);

export const recordKeyForm: KeyForm = slowWithBytes.has(process.versions.node.replace(/\..*/, "")) ? "key-object" : "bytes";
