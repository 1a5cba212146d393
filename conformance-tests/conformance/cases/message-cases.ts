/** The message layer of the server as RFC 7252 has it: what any CoAP endpoint answers to these bytes. */
import type { ConformanceCase, Stage } from "../case.ts";
import type { WirePeer } from "../platform/wire-peer.ts";
import { acknowledgement, codeText, reset, textOption, uintOption, type WireMessage } from "../wire-message.ts";

const get = 0x01;
const post = 0x02;
const badRequest = 0x80;
const badOption = 0x82;
const notFound = 0x84;
const uriPath = 11;
const silenceMs = 1_500;

export const messageCases: readonly ConformanceCase[] = [
  {
    id: "RFC7252-4.3-ping",
    title: "An empty confirmable message is answered with a Reset",
    role: "server",
    limitSeconds: 10,
    async run(stage) {
      const peer = await stage.openPeer();
      const ping = { ...peer.compose({ code: 0, options: [] }), token: new Uint8Array() };
      peer.send(ping);
      const answer = await peer.receive(sameId(ping));
      stage.check("a Reset with the message id of the ping", answer?.type === reset && answer.code === 0, describe(answer));
    },
  },
  {
    id: "RFC7252-4.5-duplicate",
    title: "A repeated confirmable request gets the same answer and is not done twice",
    role: "server",
    limitSeconds: 15,
    async run(stage) {
      const peer = await stage.openPeer();
      const queries = [`ep=${stage.endpointName()}`, "lt=300", "lwm2m=1.1", "b=U"];
      const register = peer.compose({
        code: post,
        options: [textOption(uriPath, "rd"), uintOption(12, 40), ...queries.map((each) => textOption(15, each))],
        payload: new TextEncoder().encode("</1/0>,</3/0>"),
      });
      peer.send(register);
      const first = await peer.receive(sameToken(register));
      peer.send(register);
      const second = await peer.receive(sameToken(register));
      stage.check("the repetition is answered", second !== undefined);
      stage.check(
        "with the same code and the same Location: one registration, not two",
        first !== undefined && second !== undefined && first.code === second.code && sameOptions(first, second),
        `${describe(first)} then ${describe(second)}`,
      );
    },
  },
  {
    id: "RFC7252-5.2.1-piggybacked",
    title: "The answer to a confirmable request echoes message id and token",
    role: "server",
    limitSeconds: 10,
    async run(stage) {
      const peer = await stage.openPeer();
      const request = peer.compose({ code: get, options: [textOption(uriPath, "no-such-resource")] });
      peer.send(request);
      const answer = await peer.receive(sameToken(request));
      stage.check("4.04 for a resource that is not there", answer?.code === notFound, describe(answer));
      const matches = answer?.type !== acknowledgement || answer.messageId === request.messageId;
      stage.check("a piggybacked answer has the message id of the request", matches, describe(answer));
    },
  },
  {
    id: "RFC7252-5.4.1-critical",
    title: "An unknown critical option is refused with 4.02",
    role: "server",
    limitSeconds: 10,
    async run(stage) {
      const peer = await stage.openPeer();
      const answer = await peer.exchange({ code: get, options: [textOption(uriPath, "rd"), textOption(65_001, "x")] });
      stage.check("4.02 Bad Option", answer?.code === badOption, describe(answer));
    },
  },
  {
    id: "RFC7252-3-version",
    title: "A message of another CoAP version is ignored in silence",
    role: "server",
    limitSeconds: 10,
    async run(stage) {
      const peer = await stage.openPeer();
      await expectSilence(stage, peer, "800112340102");
      await expectAlive(stage, peer);
    },
  },
  {
    id: "RFC7252-4.2-format",
    title: "A confirmable message that cannot be parsed is rejected, not answered as if it were good",
    role: "server",
    limitSeconds: 20,
    async run(stage) {
      const peer = await stage.openPeer();
      // Token length 9; a payload marker without payload; an option nibble 15; an option longer than the message.
      for (const bytes of ["4901123401020304050607080900", "40011235ff", "40011236f0", "40011237b5616263"]) {
        const wanted = Buffer.from(bytes, "hex").readUInt16BE(2);
        peer.sendBytes(Buffer.from(bytes, "hex"));
        const answer = await peer.receive(({ messageId }) => messageId === wanted, silenceMs);
        const fits = answer === undefined || answer.type === reset || answer.code === badRequest;
        stage.check(`${bytes}: Reset, 4.00 or silence`, fits, describe(answer));
      }
      await expectAlive(stage, peer);
    },
  },
];

async function expectSilence(stage: Stage, peer: WirePeer, bytes: string): Promise<void> {
  peer.sendBytes(Buffer.from(bytes, "hex"));
  const answer = await peer.receive(() => true, silenceMs);
  stage.check(`${bytes}: no answer`, answer === undefined, describe(answer));
}

async function expectAlive(stage: Stage, peer: WirePeer): Promise<void> {
  const answer = await peer.exchange({ code: get, options: [textOption(uriPath, "no-such-resource")] });
  stage.check("the next good request is answered", answer !== undefined);
}

function sameId({ messageId }: WireMessage): (message: WireMessage) => boolean {
  return (message) => message.messageId === messageId;
}

function sameToken({ token }: WireMessage): (message: WireMessage) => boolean {
  return (message) => message.code !== 0 && Buffer.from(message.token).equals(token);
}

function sameOptions(first: WireMessage, second: WireMessage): boolean {
  const text = ({ options }: WireMessage): string =>
    options.map(({ number, value }) => `${number}=${Buffer.from(value).toString("hex")}`).join(" ");
  return text(first) === text(second);
}

function describe(message: WireMessage | undefined): string {
  return message === undefined ? "no answer" : `${["CON", "NON", "ACK", "RST"][message.type]} ${codeText(message.code)}`;
}
