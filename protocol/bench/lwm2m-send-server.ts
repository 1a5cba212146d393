/** The server under load of `lwm2m-send.bench.ts`, a process of its own so that its CPU time is its own: `ours` or `npm-coap`. */
import { Encoder } from "cbor-x";
import coap from "coap";
import { ResponseCode } from "../coap/codes.ts";
import { openCoapEndpoint } from "../coap/endpoint.ts";
import { decodePayload } from "../lwm2m/payload.ts";
import { systemClock } from "../platform/system-clock.ts";
import { systemRandom } from "../platform/system-random.ts";
import { openUdpSocket } from "../platform/udp-socket.ts";
import { measurementTypes } from "./measurement-pack.ts";
import { answerUsage, loopback } from "./server-under-load.ts";

const records = 10;
const cbor = new Encoder({ useRecords: false, mapsAsObjects: false });

const [kind = "", port = "0"] = process.argv.slice(2);
answerUsage();

if (kind === "ours") {
  const socket = await openUdpSocket({ address: loopback, port: Number(port) });
  const endpoint = openCoapEndpoint({ socket, clock: systemClock, random: systemRandom });
  endpoint.handle(({ contentFormat = 0, payload }) => {
    const values = decodePayload(contentFormat, payload, { typeOf: measurementTypes, nowMs: Date.now() });
    return { code: values.length === records ? ResponseCode.changed : ResponseCode.badRequest };
  });
  process.send?.({ ready: true });
} else {
  const server = coap.createServer({ type: "udp4" }, (request, response) => {
    const pack: unknown = cbor.decode(request.payload);
    response.code = Array.isArray(pack) && pack.length === records ? "2.04" : "4.00";
    response.end();
  });
  server.listen(Number(port), loopback, () => process.send?.({ ready: true }));
}
