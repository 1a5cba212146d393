/** The recorded connections taken apart: records, and the handshake messages of epoch 0 put together again. */
import { ContentType } from "../constants.ts";
import type { HandshakeMessage } from "../messages.ts";
import { readHandshakeFragments } from "../wire/handshake-header.ts";
import { RecordView } from "../wire/record-header.ts";
import type { RecordedConnection } from "./recorded-vectors.ts";

export type Side = "client" | "server";

export interface RecordedRecord {
  readonly from: Side;
  readonly type: number;
  readonly version: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly connectionId: Uint8Array;
  readonly fragment: Uint8Array;
}

export interface RecordedMessage extends HandshakeMessage {
  readonly from: Side;
}

export function recordsOf(connection: RecordedConnection): RecordedRecord[] {
  const view = new RecordView();
  return connection.datagrams.flatMap((line) => {
    const from = line.startsWith(">") ? "client" : "server";
    const datagram = bytesOf(line.slice(2));
    const towards = from === "client" ? "server" : "client";
    const records: RecordedRecord[] = [];
    for (let at = 0; at < datagram.length; ) {
      at = view.read(datagram, at, connection.idBytes[towards]);
      if (at < 0) throw new Error(`${connection.name}: no record in ${line}`);
      const { type, version, epoch, sequence, connectionIdAt, connectionIdBytes, fragmentAt, fragmentBytes } = view;
      const connectionId = datagram.slice(connectionIdAt, connectionIdAt + connectionIdBytes);
      const fragment = datagram.slice(fragmentAt, fragmentAt + fragmentBytes);
      records.push({ from, type, version, epoch, sequence, connectionId, fragment });
    }
    return records;
  });
}

/** Nothing was lost or overtaken on the way, so the fragments follow each other. */
export function messagesOf(records: readonly RecordedRecord[]): RecordedMessage[] {
  const messages: RecordedMessage[] = [];
  let body: number[] = [];
  for (const record of records) {
    if (record.epoch !== 0 || record.type !== ContentType.handshake) continue;
    for (const fragment of readHandshakeFragments(record.fragment)) {
      body.push(...fragment.bytes);
      if (body.length < fragment.length) continue;
      messages.push({ from: record.from, type: fragment.type, sequence: fragment.sequence, body: Uint8Array.from(body) });
      body = [];
    }
  }
  return messages;
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(/\s/g, "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
