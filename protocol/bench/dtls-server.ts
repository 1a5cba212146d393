/** Our server under load of the DTLS benches, a process of its own so that its CPU time is its own: arguments a `DtlsServing`, port. */
import { ResponseCode } from "../coap/codes.ts";
import { openCoapEndpoint } from "../coap/endpoint.ts";
import { recordProtection } from "../dtls/crypto/back-end.ts";
import { openDtlsEndpoint } from "../dtls/endpoint/dtls-endpoint.ts";
import type { DtlsLimits } from "../dtls/endpoint/limits.ts";
import { decodePayload } from "../lwm2m/payload.ts";
import { chooseDtlsCrypto } from "../platform/dtls-crypto.ts";
import { recordKeyForm } from "../platform/record-key-form.ts";
import { systemClock } from "../platform/system-clock.ts";
import { systemRandom } from "../platform/system-random.ts";
import { openUdpSocket } from "../platform/udp-socket.ts";
import type { DatagramSocket } from "../ports/datagram-socket.ts";
import { type DtlsServing, realmOf } from "./dtls-parties.ts";
import { measurementTypes } from "./measurement-pack.ts";
import { answerUsage, loopback } from "./server-under-load.ts";

const records = 10;
const suites = { psk: 0xc0a8, rpk: 0xc0ae, x509: 0xc0ae } as const;
/** All the load comes from one address, and as much of it as can be. */
const unlimited: Partial<DtlsLimits> = {
  handshakesPerSecond: 1_000_000,
  handshakeBurst: 1_000_000,
  handshakesPerAddress: 100_000,
  handshakesPerPrefix: 100_000,
  cookiesPerPrefixPerSecond: 1_000_000,
};

const [what = "", port = "0"] = process.argv.slice(2);
answerUsage();

const socket = await openUdpSocket({ address: loopback, port: Number(port) });
if (what === "plain") echo(socket);
else await serve(JSON.parse(what));
process.send?.({ ready: true });

async function serve(serving: DtlsServing): Promise<void> {
  const realm = realmOf(serving);
  chooseDtlsCrypto(serving.crypto ?? "auto");
  const endpoint = await openDtlsEndpoint({
    socket,
    clock: systemClock,
    random: systemRandom,
    server: { credentials: { realmOf: () => realm } },
    settings: { cipherSuites: [suites[serving.proof]], connectionIdBytes: serving.idBytes ?? 0 },
    limits: unlimited,
    protection: recordProtection({ random: systemRandom, keyForm: recordKeyForm }),
    elapsedMs: () => performance.now(),
    onBug: (error) => console.error(error),
  });
  if (serving.mode === "echo") echo(endpoint.plaintext);
  else answerSends(endpoint.plaintext);
}

function echo(plaintext: DatagramSocket): void {
  plaintext.onDatagram((bytes, from) => plaintext.send(bytes, from));
}

function answerSends(plaintext: DatagramSocket): void {
  const endpoint = openCoapEndpoint({ socket: plaintext, clock: systemClock, random: systemRandom });
  endpoint.handle(({ contentFormat = 0, payload }) => {
    const values = decodePayload(contentFormat, payload, { typeOf: measurementTypes, nowMs: Date.now() });
    return { code: values.length === records ? ResponseCode.changed : ResponseCode.badRequest };
  });
}
