/** The server under load of `coap-get.bench.ts`, a process of its own so that its CPU time is its own: `ours` or `npm-coap`. */
import coap from "coap";
import { ResponseCode } from "../coap/codes.ts";
import { openCoapEndpoint } from "../coap/endpoint.ts";
import { systemClock } from "../platform/system-clock.ts";
import { systemRandom } from "../platform/system-random.ts";
import { openUdpSocket } from "../platform/udp-socket.ts";
import { answerUsage, loopback } from "./server-under-load.ts";

const answer = Buffer.alloc(64, 0x61);

const [kind = "", port = "0"] = process.argv.slice(2);
answerUsage();

if (kind === "ours") {
  const socket = await openUdpSocket({ address: loopback, port: Number(port) });
  const endpoint = openCoapEndpoint({ socket, clock: systemClock, random: systemRandom });
  endpoint.handle(() => ({ code: ResponseCode.content, payload: answer }));
  process.send?.({ ready: true });
} else {
  const server = coap.createServer({ type: "udp4" }, (_request, response) => void response.end(answer));
  server.listen(Number(port), loopback, () => process.send?.({ ready: true }));
}
