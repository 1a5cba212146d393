/** `node --import` this file, and the process has DTLS call OpenSSL: whatever it tests, it tests on that back end; or fails to start. */
import { chooseDtlsCrypto } from "../platform/dtls-crypto.ts";

chooseDtlsCrypto("ffi");
