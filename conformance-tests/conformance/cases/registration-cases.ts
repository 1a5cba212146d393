/** Registration interface, cases 100 to 199 of the OMA test specification, for the server: this runner plays the client. */
import type { ServerCase, ServerStage } from "../case.ts";
import type { WirePeer } from "../platform/wire-peer.ts";
import { textOption, textValues, uintOption, type WireOption, wireCode, wireFormat, wireOption } from "../wire-message.ts";
import { expectCode, pathOptions, queryOptions } from "./expect.ts";

const objects = new TextEncoder().encode('</>;rt="oma.lwm2m";ct=11543,</1/0>,</3/0>');

interface Registered {
  readonly peer: WirePeer;
  readonly name: string;
  readonly location: readonly string[];
}

export const registrationCases: readonly ServerCase[] = [
  {
    id: "LightweightM2M-1.1-int-101",
    title: "Initial Registration",
    role: "server",
    limitSeconds: 20,
    async run(stage) {
      const { peer, location } = await register(stage, { lt: "300" });
      stage.check("the Location lies below /rd", location[0] === "rd" && location.length > 1, location.join("/"));
      await update(stage, peer, location, []);
    },
  },
  {
    id: "LightweightM2M-1.1-int-102",
    title: "Registration Update",
    role: "server",
    limitSeconds: 60,
    async run(stage) {
      const { peer, location } = await register(stage, { lt: "300" });
      await update(stage, peer, location, ["lt=20"]);
      await update(stage, peer, location, []);
      // The lifetime and what servers allow on top of it before they clean up.
      await stage.wait(30);
      await expectUnknown(stage, peer, location, "the registration is gone after its lifetime of 20 s");
    },
  },
  {
    id: "LightweightM2M-1.1-int-103",
    title: "Deregistration",
    role: "server",
    limitSeconds: 20,
    async run(stage) {
      const { peer, location } = await register(stage, { lt: "300" });
      await deregister(stage, peer, location);
      await expectUnknown(stage, peer, location, "the registration is gone from the server");
    },
  },
  {
    id: "LightweightM2M-1.1-int-105",
    title: "Discarded Register Update",
    role: "server",
    limitSeconds: 20,
    async run(stage) {
      const { peer, name, location } = await register(stage, { lt: "300" });
      await deregister(stage, peer, location);
      await expectUnknown(stage, peer, location, "an Update of a forgotten registration is answered 4.04");
      const again = await register(stage, { lt: "300" }, { peer, name });
      await update(stage, peer, again.location, []);
    },
  },
  {
    id: "LightweightM2M-1.1-int-107",
    title: "Extending the lifetime of a registration",
    role: "server",
    limitSeconds: 60,
    async run(stage) {
      const { peer, location } = await register(stage, { lt: "20" });
      await update(stage, peer, location, ["lt=120"]);
      await stage.wait(30);
      await update(stage, peer, location, [], "still registered after the first lifetime would have ended");
    },
  },
  {
    id: "LightweightM2M-1.1-int-108",
    title: "Turn on Queue Mode",
    role: "server",
    limitSeconds: 20,
    async run(stage) {
      const { peer, location } = await register(stage, { lt: "300", queue: true });
      await update(stage, peer, location, []);
    },
  },
];

async function register(
  stage: ServerStage,
  options: { readonly lt: string; readonly queue?: boolean },
  as?: { readonly peer: WirePeer; readonly name: string },
): Promise<Registered> {
  const peer = as?.peer ?? (await stage.openPeer());
  const name = as?.name ?? stage.endpointName();
  const queries = [`ep=${name}`, `lt=${options.lt}`, "lwm2m=1.1", "b=U", ...(options.queue ? ["Q"] : [])];
  const response = await peer.exchange({
    code: wireCode.post,
    options: [...pathOptions("/rd"), uintOption(wireOption.contentFormat, wireFormat.linkFormat), ...queryOptions(...queries)],
    payload: objects,
  });
  expectCode(stage, "the client gets 2.01 to its Register", response, wireCode.created);
  const location = response === undefined ? [] : textValues(response, wireOption.locationPath);
  stage.check("the answer has a Location", location.length > 0);
  return { peer, name, location };
}

async function update(
  stage: ServerStage,
  peer: WirePeer,
  location: readonly string[],
  queries: readonly string[],
  text = `the client gets 2.04 to its Update ${queries.join("&") || "without parameters"}`,
): Promise<void> {
  const response = await peer.exchange({
    code: wireCode.post,
    options: [...pathOf(location), ...queryOptions(...queries)],
  });
  expectCode(stage, text, response, wireCode.changed);
}

async function deregister(stage: ServerStage, peer: WirePeer, location: readonly string[]): Promise<void> {
  expectCode(
    stage,
    "the client gets 2.02 to its De-register",
    await peer.exchange({ code: wireCode.delete, options: pathOf(location) }),
    wireCode.deleted,
  );
}

async function expectUnknown(stage: ServerStage, peer: WirePeer, location: readonly string[], text: string): Promise<void> {
  expectCode(stage, text, await peer.exchange({ code: wireCode.post, options: pathOf(location) }), wireCode.notFound);
}

function pathOf(location: readonly string[]): WireOption[] {
  return location.map((segment) => textOption(wireOption.uriPath, segment));
}
