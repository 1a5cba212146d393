/** The source ports load comes from: opened once for each server, so that it meets the same devices in every round. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Introduction, Target } from "./load-contract.ts";

const loopback = "127.0.0.1";
const messageIdAt = 2;
/** The token: the server's port, so that no other server's answer counts, then the request's number. */
export const tokenAt = 4;
export const numberAt = 8;
const placeOfNumber = "00000";
const introductions = 10;
const introductionMs = 1_000;
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
  const opened = Promise.all(Array.from({ length: target.clients }, (_, index) => openClient(target, index)));
  open.set(target.port, opened);
  return opened;
}

async function openClient(target: Target, index: number): Promise<LoadClient> {
  const socket = await connect(target.port);
  if (target.introduction !== undefined) await introduce(socket, target.introduction, index);
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

/** Until it is answered: a server that starts, or many who come at once, may lose some. */
async function introduce(socket: Socket, { request, code }: Introduction, index: number): Promise<void> {
  const bytes = Buffer.from(request, "hex");
  bytes.write(String(index).padStart(placeOfNumber.length, "0"), bytes.indexOf(placeOfNumber));
  const answered = once(socket, "message");
  for (let attempt = 0; attempt < introductions; attempt++) {
    socket.send(bytes);
    const answer = await Promise.race([answered, sleep(introductionMs)]);
    if (answer === undefined) continue;
    const [message]: Buffer[] = answer;
    if (message?.[1] === code) return;
    throw new Error(`the introduction was answered ${message?.toString("hex")}`);
  }
  throw new Error("the introduction was not answered");
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
