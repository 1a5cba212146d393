/**
 * A server of the MongoDB wire protocol that keeps nothing: it says it is the primary of a replica set or a standalone, writes
 * down every command and answers as it is told. For what a driver does on a real replica set and no server here can show.
 */
import { createServer, type Server, type Socket } from "node:net";
import { BSON } from "mongodb";

export interface Command {
  readonly name: string;
  readonly body: BSON.Document;
}

/** Undefined: the usual answer; `hang-up`: the connection ends without one. */
export type Script = (command: Command) => BSON.Document | "hang-up" | undefined;

const opMessage = 2013;
const opQuery = 2004;
const opReply = 1;
const headerBytes = 16;
const setName = "scripted";

export class ScriptedMongo {
  /** Without those of the handshake and of monitoring. */
  readonly commands: Command[] = [];
  script: Script = () => undefined;
  readonly #kind: "replica-set" | "standalone";
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(kind: "replica-set" | "standalone") {
    this.#kind = kind;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async open(kind: "replica-set" | "standalone"): Promise<ScriptedMongo> {
    const mongo = new ScriptedMongo(kind);
    await new Promise<void>((resolve) => mongo.#server.listen(0, "127.0.0.1", resolve));
    return mongo;
  }

  get #address(): string {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) throw new Error("the scripted server does not listen");
    return `127.0.0.1:${address.port}`;
  }

  get url(): string {
    return `mongodb://${this.#address}/scripted${this.#kind === "replica-set" ? `?replicaSet=${setName}` : ""}`;
  }

  /** Commands of this name so far. */
  named(name: string): readonly BSON.Document[] {
    return this.commands.filter((command) => command.name === name).map(({ body }) => body);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => this.#sockets.delete(socket));
    let buffered = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      for (;;) {
        const size = buffered.length < 4 ? Number.POSITIVE_INFINITY : buffered.readInt32LE(0);
        if (buffered.length < size) return;
        this.#take(socket, buffered.subarray(0, size));
        buffered = buffered.subarray(size);
      }
    });
  }

  #take(socket: Socket, message: Buffer): void {
    const isQuery = message.readInt32LE(12) === opQuery;
    const body = isQuery ? queryOf(message) : messageOf(message);
    const answer = this.#answer({ name: Object.keys(body)[0] ?? "", body });
    if (answer === "hang-up") socket.destroy();
    else socket.write(framed(isQuery ? opReply : opMessage, message.readInt32LE(4), BSON.serialize(answer)));
  }

  #answer(command: Command): BSON.Document | "hang-up" {
    const usual = this.#handshake(command.name);
    if (usual !== undefined) return usual;
    this.commands.push(command);
    return this.script(command) ?? usualAnswer(command);
  }

  #handshake(name: string): BSON.Document | undefined {
    switch (name) {
      case "ismaster":
      case "hello":
        return { ismaster: true, isWritablePrimary: true, helloOk: true, ...this.#membership(), ...limits, ok: 1 };
      case "buildInfo":
        return { version: "7.0.0", ok: 1 };
      case "endSessions":
      case "ping":
        return { ok: 1 };
      default:
        return undefined;
    }
  }

  #membership(): BSON.Document {
    if (this.#kind === "standalone") return {};
    return { setName, setVersion: 1, hosts: [this.#address], primary: this.#address, me: this.#address, secondary: false };
  }
}

const limits = {
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  logicalSessionTimeoutMinutes: 30,
  minWireVersion: 0,
  maxWireVersion: 21,
};

/** Everything applies to one document, nothing is found. */
function usualAnswer({ name, body }: Command): BSON.Document {
  switch (name) {
    case "find":
    case "listCollections":
    case "listIndexes":
    case "aggregate":
      return { cursor: { id: BSON.Long.ZERO, ns: `scripted.${String(body[name])}`, firstBatch: [] }, ok: 1 };
    case "update":
      return { n: 1, nModified: 1, ok: 1 };
    case "findAndModify":
      return { value: { _id: "found" }, lastErrorObject: { n: 1, updatedExisting: true }, ok: 1 };
    default:
      return { n: 1, ok: 1 };
  }
}

/** Flags, then sections: the body, and lists of documents under a name. */
function messageOf(message: Buffer): BSON.Document {
  let body: BSON.Document = {};
  const lists: { [name: string]: BSON.Document[] } = {};
  for (let at = headerBytes + 4; at < message.length; ) {
    const kind = message[at];
    const size = message.readInt32LE(at + 1);
    const section = message.subarray(at + 1, at + 1 + size);
    if (kind === 0) body = BSON.deserialize(section);
    else {
      const nameEnd = section.indexOf(0, 4);
      lists[section.toString("utf8", 4, nameEnd)] = documentsIn(section.subarray(nameEnd + 1));
    }
    at += 1 + size;
  }
  return { ...body, ...lists };
}

function documentsIn(bytes: Buffer): BSON.Document[] {
  const found: BSON.Document[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readInt32LE(at)) {
    found.push(BSON.deserialize(bytes.subarray(at, at + bytes.readInt32LE(at))));
  }
  return found;
}

/** The first handshake of a connection: flags, a collection name, two numbers, the document. */
function queryOf(message: Buffer): BSON.Document {
  const nameEnd = message.indexOf(0, headerBytes + 4);
  return BSON.deserialize(message.subarray(nameEnd + 1 + 8));
}

function framed(opcode: number, responseTo: number, document: Uint8Array): Buffer {
  // OP_MSG: no flags, one section of kind 0. OP_REPLY: flags, a cursor of 8 bytes, its start, one document.
  const head = opcode === opMessage ? Buffer.alloc(5) : Buffer.alloc(20);
  if (opcode === opReply) head.writeInt32LE(1, 16);
  const message = Buffer.concat([Buffer.alloc(headerBytes), head, document]);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(responseTo, 8);
  message.writeInt32LE(opcode, 12);
  return message;
}
