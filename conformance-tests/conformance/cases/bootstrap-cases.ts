/** Bootstrap interface, cases 0 to 99 of the OMA test specification, for the bootstrap server: this runner plays the client. */
import type { BootstrapCase } from "../case.ts";
import { nonConfirmable, responseTo, wireCode, wireFormat } from "../wire-message.ts";
import { bootstrap, expectAccount, expectQuiet, expectRefused, nextRequest, requestOf, serve } from "./bootstrap-steps.ts";
import { describe, expectCode, sameAnswer, sameToken } from "./expect.ts";

/** No format of LwM2M. */
const unknownFormat = 65_000;

export const bootstrapCases: readonly BootstrapCase[] = [
  {
    id: "LightweightM2M-1.1-int-0",
    title: "Client Initiated Bootstrap",
    role: "bootstrap",
    limitSeconds: 60,
    // Bootstrap-Discover (step 3) is answered where the server asks: whether it does is the choice of its operator.
    async run(stage) {
      const peer = await stage.openPeer();
      const session = await bootstrap(stage, peer, `ep=${stage.configured.device}`);
      expectAccount(stage, session);
      await expectQuiet(stage, peer, "Finish is the last request");
    },
  },
  {
    id: "wire-bootstrap-one-at-a-time",
    title: "The next request waits for the answer to the one before",
    role: "bootstrap",
    limitSeconds: 60,
    // NSTART is 1 (RFC 7252 §4.7); a first repetition comes after 2 s at the earliest.
    async run(stage) {
      const peer = await stage.openPeer();
      const answer = await peer.exchange(requestOf(`ep=${stage.configured.device}`));
      expectCode(stage, "2.04 to the Bootstrap-Request", answer, wireCode.changed);
      const first = await nextRequest(peer);
      stage.check("a first request comes", first !== undefined);
      await expectQuiet(stage, peer, "and no second one before it is answered", 1_000);
      if (first !== undefined) peer.send(responseTo(first, first.code === wireCode.delete ? wireCode.deleted : wireCode.notFound));
      const session = await serve(stage, peer);
      stage.check("the session goes on to Finish", session.finished, session.requests.join(", "));
    },
  },
  {
    id: "wire-bootstrap-preferred-format",
    title: "The accounts are written in the format the client prefers",
    role: "bootstrap",
    limitSeconds: 60,
    async run(stage) {
      const peer = await stage.openPeer();
      const session = await bootstrap(stage, peer, `ep=${stage.configured.device}`, `pct=${wireFormat.senmlJson}`);
      expectAccount(stage, session);
      const formats = [...session.formats].join(" ");
      stage.check(`every Write is in format ${wireFormat.senmlJson}`, formats === String(wireFormat.senmlJson), formats);
    },
  },
  {
    id: "wire-bootstrap-unknown-format",
    title: "A preferred format the server does not have is refused with 4.15",
    role: "bootstrap",
    limitSeconds: 30,
    run: (stage) =>
      expectRefused(stage, "4.15", wireCode.unsupportedContentFormat, `ep=${stage.configured.device}`, `pct=${unknownFormat}`),
  },
  {
    id: "wire-bootstrap-unknown-endpoint",
    title: "An endpoint name nobody configured is refused with 4.00",
    role: "bootstrap",
    limitSeconds: 30,
    run: (stage) => expectRefused(stage, "4.00", wireCode.badRequest, `ep=${stage.endpointName()}`),
  },
  {
    id: "wire-bootstrap-no-endpoint",
    title: "A Bootstrap-Request without an endpoint name is refused with 4.00 where no credential tells it",
    role: "bootstrap",
    limitSeconds: 30,
    run: (stage) => expectRefused(stage, "4.00", wireCode.badRequest),
  },
  {
    id: "RFC7252-4.5-duplicate",
    title: "A repeated confirmable Bootstrap-Request gets the same answer and starts one session",
    role: "bootstrap",
    limitSeconds: 60,
    async run(stage) {
      const peer = await stage.openPeer();
      const request = peer.compose(requestOf(`ep=${stage.configured.device}`));
      peer.send(request);
      const first = await peer.receive(sameToken(request));
      peer.send(request);
      const second = await peer.receive(sameToken(request));
      expectCode(stage, "2.04 to the first", first, wireCode.changed);
      stage.check("the same to the second", sameAnswer(first, second), `${describe(first)} then ${describe(second)}`);
      const { finished, requests } = await serve(stage, peer);
      stage.check("one session goes to its Finish", finished && new Set(requests).size === requests.length, requests.join(", "));
      await expectQuiet(stage, peer, "and no second one follows");
    },
  },
  {
    id: "RFC7252-4.5-duplicate-non",
    title: "A repeated non-confirmable Bootstrap-Request starts one session",
    role: "bootstrap",
    limitSeconds: 60,
    async run(stage) {
      const peer = await stage.openPeer();
      const request = { ...peer.compose(requestOf(`ep=${stage.configured.device}`)), type: nonConfirmable };
      peer.send(request);
      peer.send(request);
      expectCode(stage, "2.04 to it", await peer.receive(sameToken(request)), wireCode.changed);
      const { finished, requests } = await serve(stage, peer);
      stage.check("one session goes to its Finish", finished && new Set(requests).size === requests.length, requests.join(", "));
      await expectQuiet(stage, peer, "and no second one follows");
    },
  },
  {
    id: "wire-bootstrap-silent-client",
    title: "A client that falls silent disturbs no other, and may start over",
    role: "bootstrap",
    limitSeconds: 60,
    async run(stage) {
      const silent = await stage.openPeer();
      const request = requestOf(`ep=${stage.configured.device}`);
      expectCode(stage, "2.04 to the client that will be silent", await silent.exchange(request), wireCode.changed);
      stage.check("its first request comes", (await nextRequest(silent)) !== undefined);
      const neighbour = await stage.openPeer();
      expectAccount(stage, await bootstrap(stage, neighbour, `ep=${stage.configured.neighbour}`));
      const again = await stage.openPeer();
      expectAccount(stage, await bootstrap(stage, again, `ep=${stage.configured.device}`));
    },
  },
];
