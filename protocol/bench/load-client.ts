/** The source ports load comes from: opened once for each server, so that it meets the same devices in every round. */
import { createSocket, type Socket } from "node:dgram";
import type { Target } from "./load-contract.ts";

const loopback = "127.0.0.1";
const messageIdAt = 2;
/** The token: the server's port, so that no other server's answer counts, then the request's number. */
export const tokenAt = 4;
export const numberAt = 8;
/** A burst of answers waits for the load rather than being lost. */
const receiveBufferBytes = 1_048_576;

export interface LoadClient {
  /** Sends the request with the next message id. */
  send(number: number): void;
  /** The same bytes again. */
  repeat(): void;
  /** The number of the request last sent. */
  readonly number: number;
  onAnswer: (number: number) => void;
}

const open = new Map<number, Promise<readonly LoadClient[]>>();

export function clientsOf(target: Target): Promise<readonly LoadClient[]> {
  const known = open.get(target.port);
  if (known !== undefined) return known;
  const opened = Promise.all(Array.from({ length: target.clients }, () => openClient(target)));
  open.set(target.port, opened);
  return opened;
}

async function openClient(target: Target): Promise<LoadClient> {
  const socket = await connect(target.port);
  const request = Buffer.from(target.request, "hex");
  request.writeUInt32BE(target.port, tokenAt);
  let messageId = socket.address().port;
  const client = {
    number: 0,
    onAnswer: (_number: number): void => {},
    send: (number: number): void => {
      client.number = number;
      messageId = (messageId + 1) & 0xffff;
      request.writeUInt16BE(messageId, messageIdAt);
      request.writeUInt32BE(number, numberAt);
      socket.send(request);
    },
    repeat: (): void => socket.send(request),
  };
  socket.on("message", (bytes) => {
    if (bytes.length < numberAt + 4 || bytes.readUInt32BE(tokenAt) !== target.port) return;
    if (bytes[1] !== target.code) throw new Error(`the server on port ${target.port} answered ${bytes.toString("hex")}`);
    client.onAnswer(bytes.readUInt32BE(numberAt));
  });
  return client;
}

function connect(port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  // A server that is gone makes its port unreachable; then nothing is answered, which the parent tells.
  socket.on("error", () => {});
  return new Promise((resolve) => {
    socket.connect(port, loopback, () => {
      socket.setRecvBufferSize(receiveBufferBytes);
      resolve(socket);
    });
  });
}
