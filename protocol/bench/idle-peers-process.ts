/** Lets a hundred thousand peers ask an endpoint once and tells its parent what each cost. Needs --expose-gc. */
import { ResponseCode } from "../coap/codes.ts";
import { openCoapEndpoint } from "../coap/endpoint.ts";
import { systemRandom } from "../platform/system-random.ts";
import type { DatagramSocket } from "../ports/datagram-socket.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";

const peers = 100_000;
/** Tables that are there from the start are not the peers'. */
const peersBefore = 1;
const ephemeralPort = 49_152;
/** CON GET /e. */
const request = Buffer.from("480100000000000000000000b165", "hex");

const answer = Buffer.alloc(Number(process.argv[2]), 0x61);
let receive: Parameters<DatagramSocket["onDatagram"]>[0] = () => {};
let answered = 0;
const socket: DatagramSocket = {
  local: { address: "127.0.0.1", port: 5_683 },
  send: () => void answered++,
  onDatagram: (receiver) => {
    receive = receiver;
  },
  close: async () => {},
};
const endpoint = openCoapEndpoint({ socket, clock: new VirtualClock(), random: systemRandom });
endpoint.handle(() => (answer.length === 0 ? { code: ResponseCode.changed } : { code: ResponseCode.content, payload: answer }));

for (let i = 0; i < peersBefore; i++) ask(i);
const before = collectedBytes();
for (let i = 0; i < peers; i++) ask(peersBefore + i);
const bytesPerPeer = (collectedBytes() - before) / peers;
if (answered !== peersBefore + peers) throw new Error(`${answered} answers`);
await endpoint.close();
process.send?.({ bytesPerPeer });

/** As a socket hands it over: an address made for this datagram alone. */
function ask(number: number): void {
  const address = [10, number >> 16, (number >> 8) & 0xff, number & 0xff].join(".");
  request.writeUInt16BE(number & 0xffff, 2);
  receive(request, { address, port: ephemeralPort + (number & 0x3fff) });
}

function collectedBytes(): number {
  if (gc === undefined) throw new Error("to be started with --expose-gc");
  for (let i = 0; i < 3; i++) gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
