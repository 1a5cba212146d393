/** The message layer as RFC 7252 has it: what any CoAP endpoint answers to these bytes, whatever its role. */
import type { BootstrapCase, BootstrapStage, ClientCase, ClientStage, ServerCase, ServerStage, Stage } from "../case.ts";
import type { WirePeer } from "../platform/wire-peer.ts";
import { acknowledgement, reset, textOption, uintOption, type WireOption, wireCode, wireFormat, wireOption } from "../wire-message.ts";
import { updateWithinMs } from "./client-steps.ts";
import { describe, expectCode, pathOptions, queryOptions, sameAnswer, sameId, sameToken } from "./expect.ts";

const silenceMs = 1_500;

interface MessageCase<S extends Stage> {
  readonly id: string;
  readonly title: string;
  readonly limitSeconds: number;
  readonly run: (stage: S) => Promise<void>;
}

/** How to speak to an endpoint of this role. */
interface Way<S extends Stage> {
  readonly open: (stage: S) => Promise<WirePeer>;
  /** A path that is not there. */
  readonly missing: readonly WireOption[];
  /** A path that is. */
  readonly present: readonly WireOption[];
}

const serverWay: Way<ServerStage> = {
  open: (stage) => stage.openPeer(),
  missing: pathOptions("/no-such-resource"),
  present: pathOptions("/rd"),
};
const bootstrapWay: Way<BootstrapStage> = { ...serverWay, present: pathOptions("/bs") };
const clientWay: Way<ClientStage> = {
  open: async (stage) => (await stage.client()).peer,
  missing: pathOptions("/3/0/9999"),
  present: pathOptions("/3/0/0"),
};

function commonCases<S extends Stage>({ open, missing, present }: Way<S>): readonly MessageCase<S>[] {
  const expectAlive = async (stage: Stage, peer: WirePeer): Promise<void> => {
    const answer = await peer.exchange({ code: wireCode.get, options: missing });
    stage.check("the next good request is answered", answer !== undefined);
  };
  return [
    {
      id: "RFC7252-4.3-ping",
      title: "An empty confirmable message is answered with a Reset",
      limitSeconds: 30,
      async run(stage) {
        const peer = await open(stage);
        const ping = { ...peer.compose({ code: 0, options: [] }), token: new Uint8Array() };
        peer.send(ping);
        const answer = await peer.receive(sameId(ping));
        stage.check("a Reset with the message id of the ping", answer?.type === reset && answer.code === 0, describe(answer));
      },
    },
    {
      id: "RFC7252-5.2.1-piggybacked",
      title: "The answer to a confirmable request echoes message id and token",
      limitSeconds: 30,
      async run(stage) {
        const peer = await open(stage);
        const request = peer.compose({ code: wireCode.get, options: missing });
        peer.send(request);
        const answer = await peer.receive(sameToken(request));
        expectCode(stage, "4.04 for a resource that is not there", answer, wireCode.notFound);
        const matches = answer?.type !== acknowledgement || answer.messageId === request.messageId;
        stage.check("a piggybacked answer has the message id of the request", matches, describe(answer));
      },
    },
    {
      id: "RFC7252-5.4.1-critical",
      title: "An unknown critical option is refused with 4.02",
      limitSeconds: 30,
      async run(stage) {
        const peer = await open(stage);
        const answer = await peer.exchange({ code: wireCode.get, options: [...present, textOption(65_001, "x")] });
        expectCode(stage, "4.02 Bad Option", answer, wireCode.badOption);
      },
    },
    {
      id: "RFC7252-3-version",
      title: "A message of another CoAP version is ignored in silence",
      limitSeconds: 30,
      async run(stage) {
        const peer = await open(stage);
        const bytes = "800112340102";
        peer.sendBytes(Buffer.from(bytes, "hex"));
        const answer = await peer.receive(({ messageId }) => messageId === 0x1234, silenceMs);
        stage.check(`${bytes}: no answer`, answer === undefined, describe(answer));
        await expectAlive(stage, peer);
      },
    },
    {
      id: "RFC7252-4.2-format",
      title: "A confirmable message that cannot be parsed is rejected, not answered as if it were good",
      limitSeconds: 40,
      async run(stage) {
        const peer = await open(stage);
        // Token length 9; a payload marker without payload; an option nibble 15; an option longer than the message.
        for (const bytes of ["4901123401020304050607080900", "40011235ff", "40011236f0", "40011237b5616263"]) {
          const wanted = Buffer.from(bytes, "hex").readUInt16BE(2);
          peer.sendBytes(Buffer.from(bytes, "hex"));
          const answer = await peer.receive(({ messageId }) => messageId === wanted, silenceMs);
          const fits = answer === undefined || answer.type === reset || answer.code === wireCode.badRequest;
          stage.check(`${bytes}: Reset, 4.00 or silence`, fits, describe(answer));
        }
        await expectAlive(stage, peer);
      },
    },
  ];
}

const registerTwice: ServerCase = {
  id: "RFC7252-4.5-duplicate",
  title: "A repeated confirmable request gets the same answer and is not done twice",
  role: "server",
  limitSeconds: 15,
  async run(stage) {
    const peer = await stage.openPeer();
    const queries = queryOptions(`ep=${stage.endpointName()}`, "lt=300", "lwm2m=1.1", "b=U");
    const register = peer.compose({
      code: wireCode.post,
      options: [...pathOptions("/rd"), uintOption(wireOption.contentFormat, wireFormat.linkFormat), ...queries],
      payload: new TextEncoder().encode("</1/0>,</3/0>"),
    });
    peer.send(register);
    const first = await peer.receive(sameToken(register));
    peer.send(register);
    const second = await peer.receive(sameToken(register));
    stage.check("the repetition is answered", second !== undefined);
    const same = sameAnswer(first, second);
    stage.check("with the same code and the same Location: one registration, not two", same, `${describe(first)} then ${describe(second)}`);
  },
};

const triggerTwice: ClientCase = {
  id: "RFC7252-4.5-duplicate",
  title: "A repeated confirmable Execute gets the same answer and is done once",
  role: "client",
  limitSeconds: 40,
  async run(stage) {
    const { peer, account } = await stage.client();
    const trigger = peer.compose({ code: wireCode.post, options: pathOptions(`${account}/8`) });
    peer.send(trigger);
    const first = await peer.receive(sameToken(trigger));
    peer.send(trigger);
    const second = await peer.receive(sameToken(trigger));
    expectCode(stage, "2.04 to the Execute of the Registration Update Trigger", first, wireCode.changed);
    stage.check("the repetition gets the same answer", sameAnswer(first, second), `${describe(first)} then ${describe(second)}`);
    const isUpdate = ({ kind }: { readonly kind: string }): boolean => kind === "update";
    stage.check("an Update follows", (await stage.server.contact(isUpdate, updateWithinMs)) !== undefined);
    stage.check("and no second one", (await stage.server.contact(isUpdate, silenceMs)) === undefined);
  },
};

export const serverMessageCases: readonly ServerCase[] = [...forRole("server" as const, commonCases(serverWay)), registerTwice];
export const bootstrapMessageCases: readonly BootstrapCase[] = forRole("bootstrap" as const, commonCases(bootstrapWay));
export const clientMessageCases: readonly ClientCase[] = [...forRole("client" as const, commonCases(clientWay)), triggerTwice];

function forRole<R, S extends Stage>(role: R, cases: readonly MessageCase<S>[]): readonly (MessageCase<S> & { readonly role: R })[] {
  return cases.map((each) => ({ ...each, role }));
}
