/** Information Reporting, cases 300 to 399 of the OMA test specification, for the client. */
import { type ClientCase, type ClientStage, NotApplicable, type RegisteredClient } from "../case.ts";
import type { WirePeer } from "../platform/wire-peer.ts";
import { confirmable, emptyReply, uintOption, uintValue, type WireMessage, wireCode, wireOption } from "../wire-message.ts";
import { compositeRequest, requireComposite } from "./client-access-cases.ts";
import { expectRead, readText, textOf, write, writeAttributes } from "./client-steps.ts";
import { describe, expectCode, pathOptions } from "./expect.ts";

/** How early and how late a notification may be, in milliseconds: the tolerance of other runs of these cases, and a second for a busy machine. */
const earlyMs = 500;
const lateMs = 2_000;

interface Stream {
  readonly peer: WirePeer;
  readonly request: WireMessage;
  readonly first: WireMessage | undefined;
  readonly startedAt: number;
}

export const clientReportCases: readonly ClientCase[] = [
  {
    id: "LightweightM2M-1.1-int-301",
    title: "Observation and Notification of parameter values",
    role: "client",
    limitSeconds: 90,
    async run(stage) {
      const client = await stage.client();
      await requirePower(client);
      await expectRead(stage, client, "/3/0/6", 11_542);
      const voltage = await observed(stage, client, "/3/0/7", ["pmin=5", "pmax=15"]);
      const current = await observed(stage, client, "/3/0/8", ["pmin=10", "pmax=20"]);
      const windows = [expectWithin(stage, voltage, 5, 15, 2), expectWithin(stage, current, 10, 20, 1)];
      await Promise.all(windows);
      await cancel(stage, voltage, "/3/0/7");
      await cancel(stage, current, "/3/0/8");
    },
  },
  {
    id: "LightweightM2M-1.1-int-302",
    title: "Cancel Observations using Reset Operation",
    role: "client",
    limitSeconds: 60,
    // What is judged is the end of the stream, so the periods are shorter than in 301.
    async run(stage) {
      const client = await stage.client();
      await requirePower(client);
      for (const path of ["/3/0/7", "/3/0/8"]) {
        const stream = await observed(stage, client, path, ["pmin=1", "pmax=2"]);
        const notification = await stream.peer.receive(ofStream(stream), 2_000 + 2 * lateMs);
        stage.check(`a notification of ${path} comes`, notification !== undefined);
        await passOver(stream);
        if (notification !== undefined) stream.peer.send(emptyReply(notification, "reset"));
        await expectSilence(stage, stream, path, 4_500);
      }
    },
  },
  {
    id: "LightweightM2M-1.1-int-303",
    title: "Cancel Observations using Observe with Cancel parameter",
    role: "client",
    limitSeconds: 60,
    async run(stage) {
      const client = await stage.client();
      await requirePower(client);
      for (const path of ["/3/0/7", "/3/0/8"]) {
        const stream = await observed(stage, client, path, ["pmin=1", "pmax=2"]);
        await expectWithin(stage, stream, 1, 2, 1);
        await cancel(stage, stream, path);
        await expectSilence(stage, stream, path, 4_500);
      }
    },
  },
  {
    id: "LightweightM2M-1.1-int-305",
    title: "Cancel Observation-Composite Operation",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const client = await stage.client();
      const lifetime = `${client.account}/1`;
      const paths = [lifetime, "/3/0/11/0", "/3/0/16"];
      const stream = await openStream(stage, client, compositeRequest(paths, 0));
      requireComposite(stream.first);
      expectObserved(stage, stream, "the composite");
      const end = { ...stream.peer.compose(compositeRequest(paths, 1)), token: stream.request.token };
      expectCode(stage, "2.05 to the FETCH with Observe 1", await stream.peer.exchangeMessage(end), wireCode.content);
      const before = (await readText(client, lifetime)) ?? "86400";
      expectCode(stage, `${lifetime} is written`, await write(client, lifetime, other(before)), wireCode.changed);
      await expectSilence(stage, stream, "the composite", 2_000);
      await write(client, lifetime, before);
    },
  },
  {
    id: "wire-observe-change",
    title: "A change is notified, in order, until the observation is cancelled with Observe 1",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const { client, stream, path, before } = await observedLifetime(stage);
      let newest = uintValue(stream.first ?? stream.request, wireOption.observe) ?? 0;
      for (const value of [other(before), before]) {
        expectCode(stage, `${path} = ${value} is written`, await write(client, path, value), wireCode.changed);
        const notification = await nextNotification(stream);
        stage.check(`the notification says ${value}`, textOf(notification) === value, `${describe(notification)} ${textOf(notification)}`);
        const order = notification === undefined ? undefined : uintValue(notification, wireOption.observe);
        // RFC 7641 §3.4: within 2^23 of the one before, modulo 2^24.
        const isNewer = order !== undefined && ((order - newest) & 0xff_ffff) > 0 && ((order - newest) & 0xff_ffff) < 0x80_0000;
        stage.check("and is newer than what came before", isNewer, `${newest} then ${order}`);
        newest = order ?? newest;
      }
      await cancel(stage, stream, path);
      await write(client, path, other(before));
      await expectSilence(stage, stream, path, 2_000);
      await write(client, path, before);
    },
  },
  {
    id: "wire-observe-reset",
    title: "A notification that is answered with a Reset is the last one",
    role: "client",
    limitSeconds: 40,
    async run(stage) {
      const { client, stream, path, before } = await observedLifetime(stage);
      await write(client, path, other(before));
      const notification = await stream.peer.receive(ofStream(stream));
      stage.check("the change is notified", notification !== undefined);
      if (notification !== undefined) stream.peer.send(emptyReply(notification, "reset"));
      await write(client, path, before);
      await expectSilence(stage, stream, path, 2_000);
    },
  },
];

/** An observation of the lifetime, which any client has and any server may change, in text. */
async function observedLifetime(stage: ClientStage) {
  const client = await stage.client();
  const path = `${client.account}/1`;
  const before = (await readText(client, path)) ?? "86400";
  const options = [...pathOptions(path), uintOption(wireOption.accept, 0), uintOption(wireOption.observe, 0)];
  const stream = await openStream(stage, client, { code: wireCode.get, options });
  expectObserved(stage, stream, path);
  return { client, stream, path, before };
}

/** Configuration C.4 has two power sources with their voltage and current. */
async function requirePower(client: RegisteredClient): Promise<void> {
  for (const path of ["/3/0/7", "/3/0/8"]) {
    const response = await client.peer.exchange({ code: wireCode.get, options: pathOptions(path) });
    if (response?.code === wireCode.notFound) throw new NotApplicable(`the client has no ${path}`);
  }
}

async function observed(stage: ClientStage, client: RegisteredClient, path: string, periods: readonly string[]): Promise<Stream> {
  const answer = await writeAttributes(client, path, ...periods);
  expectCode(stage, `2.04 to Write-Attributes ${path} ${periods.join("&")}`, answer, wireCode.changed);
  const options = [...pathOptions(path), uintOption(wireOption.observe, 0)];
  const stream = await openStream(stage, client, { code: wireCode.get, options });
  expectObserved(stage, stream, path);
  return stream;
}

async function openStream(stage: ClientStage, { peer }: RegisteredClient, request: Parameters<WirePeer["compose"]>[0]): Promise<Stream> {
  const message = peer.compose(request);
  const first = await peer.exchangeMessage(message);
  return { peer, request: message, first, startedAt: stage.now() };
}

function expectObserved(stage: ClientStage, { first }: Stream, what: string): void {
  expectCode(stage, `2.05 to the Observe of ${what}`, first, wireCode.content);
  stage.check("with an Observe option", first !== undefined && uintValue(first, wireOption.observe) !== undefined);
}

/** So many notifications, each within its window after the one before. */
async function expectWithin(stage: ClientStage, stream: Stream, pmin: number, pmax: number, count: number): Promise<void> {
  let before = stream.startedAt;
  for (let nth = 1; nth <= count; nth++) {
    const notification = await nextNotification(stream, pmax * 1_000 + 2 * lateMs);
    const passedMs = stage.now() - before;
    const inTime = notification !== undefined && passedMs >= pmin * 1_000 - earlyMs && passedMs <= pmax * 1_000 + lateMs;
    stage.check(`notification ${nth} comes after ${pmin} to ${pmax} s`, inTime, `${describe(notification)} after ${passedMs} ms`);
    before = stage.now();
  }
}

async function nextNotification(stream: Stream, timeoutMs?: number): Promise<WireMessage | undefined> {
  const notification = await stream.peer.receive(ofStream(stream), timeoutMs);
  if (notification?.type === confirmable) stream.peer.send(emptyReply(notification, "acknowledgement"));
  return notification;
}

/** With the token of the observation, as RFC 7641 §3.6 has it. */
async function cancel(stage: ClientStage, stream: Stream, path: string): Promise<void> {
  const { peer, request } = stream;
  const kept = request.options.filter(({ number }) => number !== wireOption.observe);
  const options = [...kept, uintOption(wireOption.observe, 1)];
  const end = { ...peer.compose({ code: wireCode.get, options }), token: request.token };
  const isAnswer = ({ type, messageId, code, options: got }: WireMessage): boolean =>
    code >= 0x40 && (messageId === end.messageId || (type !== 2 && got.every(({ number }) => number !== wireOption.observe)));
  peer.send(end);
  const answer = await peer.receive(isAnswer);
  await passOver(stream);
  expectCode(stage, `2.05 to the GET of ${path} with Observe 1`, answer, wireCode.content);
}

/** What has arrived by now was sent before the end was heard of: on a busy machine more than one notification may be there. */
async function passOver(stream: Stream): Promise<void> {
  let earlier = await nextNotification(stream, 0);
  while (earlier !== undefined) earlier = await nextNotification(stream, 0);
}

async function expectSilence(stage: ClientStage, stream: Stream, what: string, forMs: number): Promise<void> {
  const late = await nextNotification(stream, forMs);
  stage.check(`no notification of ${what} comes any more`, late === undefined, describe(late));
}

function ofStream({ request }: Stream): (message: WireMessage) => boolean {
  const token = Buffer.from(request.token);
  return (message) => message.code >= 0x40 && token.equals(message.token);
}

/** Another lifetime, a few seconds longer. */
function other(lifetime: string): string {
  return String(Number(lifetime) + 7);
}
