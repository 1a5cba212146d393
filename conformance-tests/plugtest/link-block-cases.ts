/** TD_COAP_LINK and TD_COAP_BLOCK of the ETSI CoAP plugtest. */
import assert from "node:assert/strict";
import { codeText, textValues, uintValue, type WireMessage } from "../conformance/wire-message.ts";
import type { PlugtestCase, PlugtestCases } from "./case.ts";
import { largeText, type Scene } from "./party.ts";
import type { UdpRelay } from "./platform/udp-relay.ts";
import { blockOf, type Exchange, exchangesOn, lastExchange, optionNumber } from "./wire-checks.ts";

const linkFormat = 40;

/** Fetches links, and checks that client and wire agree on them. */
async function links({ client, wire }: Scene, path: string): Promise<string> {
  const { code, payload } = await client.request({ method: "get", path });
  assert.equal(code, "2.05");
  assert.equal(uintValue(lastExchange(wire).response, optionNumber.contentFormat), linkFormat);
  return payload;
}

const targets = (payload: string): string[] => [...payload.matchAll(/<(.*?)>/g)].map((match) => match[1] ?? "");

/** The links a filter selects, as a server of the descriptions has them and as libcoap's server has them. */
function filtered(
  title: string,
  ...choices: readonly { readonly query: string; readonly selected: readonly string[]; readonly at?: "libcoap" }[]
): PlugtestCase {
  return {
    title,
    run: async (scene) => {
      const isLibcoap = scene.server.resources["largePost"] === undefined;
      const choice = choices.find(({ at }) => (at === "libcoap") === isLibcoap);
      assert.ok(choice, "the table names a server without such links");
      const all = targets(await links(scene, "/.well-known/core"));
      const found = targets(await links(scene, `/.well-known/core?${choice.query}`));
      assert.deepEqual(found, choice.selected);
      assert.ok(found.length < all.length && found.every((target) => all.includes(target)));
      assert.deepEqual(textValues(lastExchange(scene.wire).request, optionNumber.uriQuery), [choice.query]);
    },
  };
}

export const linkCases: PlugtestCases = {
  TD_COAP_LINK_01: {
    title: "the list of resources",
    run: async (scene) => assert.ok(targets(await links(scene, "/.well-known/core")).length > 3),
  },
  TD_COAP_LINK_02: filtered(
    "filtered by rt",
    { query: "rt=test", selected: ["/test"] },
    { at: "libcoap", query: "rt=ticks", selected: ["/time"] },
  ),
  TD_COAP_LINK_03: filtered(
    "whatever has an rt",
    { query: "rt=*", selected: ["/test", "/link1", "/link2", "/link3"] },
    { at: "libcoap", query: "rt=*", selected: ["/time"] },
  ),
  TD_COAP_LINK_04: filtered("one of several rt values", { query: "rt=Type2", selected: ["/link1", "/link2"] }),
  TD_COAP_LINK_05: filtered(
    "if by prefix",
    { query: "if=If*", selected: ["/link1", "/link2"] },
    { at: "libcoap", query: "if=clo*", selected: ["/time"] },
  ),
  TD_COAP_LINK_06: filtered("whatever has a sz", { query: "sz=*", selected: ["/large"] }),
  TD_COAP_LINK_07: filtered(
    "href",
    { query: "href=/link1", selected: ["/link1"] },
    { at: "libcoap", query: "href=/time", selected: ["/time"] },
  ),
  TD_COAP_LINK_08: filtered(
    "href by prefix",
    { query: "href=/link*", selected: ["/link1", "/link2", "/link3"] },
    { at: "libcoap", query: "href=/ti*", selected: ["/time"] },
  ),
  TD_COAP_LINK_09: {
    title: "links in levels",
    run: async (scene) => {
      assert.ok(targets(await links(scene, "/.well-known/core")).includes("/path"));
      assert.deepEqual(targets(await links(scene, "/path")), ["/path/sub1", "/path/sub2"]);
      assert.equal((await scene.client.request({ method: "get", path: "/path/sub1" })).payload, "/path/sub1");
    },
  },
};

/** Block2 of every response from the first on: numbers without gaps, one size, full blocks up to the last (RFC 7959 §2.4). */
function checkDownload(wire: UdpRelay, firstRequest: (request: WireMessage) => void): void {
  const exchanges = exchangesOn(wire).filter(({ response }) => blockOf(response, optionNumber.block2) !== undefined);
  assert.ok(exchanges[0], "no Block2");
  firstRequest(exchanges[0].request);
  const exponent = blockOf(exchanges.at(-1)?.response ?? exchanges[0].response, optionNumber.block2)?.exponent ?? 7;
  let offset = 0;
  for (const { request, response } of exchanges) {
    const block = blockOf(response, optionNumber.block2);
    assert.ok(block);
    const size = 16 << block.exponent;
    assert.equal(block.number * size, offset);
    if (offset > 0) assert.equal(block.exponent, exponent);
    if (offset > 0) assert.deepEqual(blockOf(request, optionNumber.block2), { number: block.number, more: false, exponent });
    assert.ok(block.more ? response.payload.length === size : response.payload.length <= size);
    offset += response.payload.length;
  }
  assert.equal(offset, largeText.length);
}

/** Block1 of every request, and what each response says of it (RFC 7959 §2.5). */
function checkUpload({ wire, server }: Scene, finalCodes: readonly string[]): Exchange {
  const exchanges = exchangesOn(wire).filter(({ request }) => blockOf(request, optionNumber.block1) !== undefined);
  let offset = 0;
  for (const [i, { request, response }] of exchanges.entries()) {
    const sent = blockOf(request, optionNumber.block1);
    const answered = blockOf(response, optionNumber.block1);
    assert.ok(sent, "no Block1 in the request");
    assert.equal(sent.number * (16 << sent.exponent), offset);
    assert.equal(sent.more, i < exchanges.length - 1);
    if (sent.more || !server.omitsFinalBlock1) assert.equal(answered?.number, sent.number);
    assert.ok(sent.more ? codeText(response.code) === "2.31" : finalCodes.includes(codeText(response.code)), codeText(response.code));
    offset += request.payload.length;
  }
  assert.equal(offset, largeText.length);
  const last = exchanges.at(-1);
  assert.ok(last);
  return last;
}

function download(title: string, blockSizeBytes: number | undefined): PlugtestCase {
  return {
    title,
    run: async ({ client, server, wire }) => {
      const early = blockSizeBytes === undefined ? {} : { blockSizeBytes };
      const { code, payload } = await client.request({ method: "get", path: server.resources["large"] ?? "", ...early });
      assert.equal(code, "2.05");
      assert.equal(payload, largeText);
      checkDownload(wire, (request) => {
        const asked = blockOf(request, optionNumber.block2);
        if (blockSizeBytes === undefined) assert.equal(asked, undefined, "late negotiation");
        else assert.deepEqual(asked, { number: 0, more: false, exponent: Math.log2(blockSizeBytes / 16) });
      });
    },
  };
}

const uploadBlockBytes = 256;

export const blockCases: PlugtestCases = {
  TD_COAP_BLOCK_01: download("GET of a large resource, early negotiation", 256),
  TD_COAP_BLOCK_02: download("GET of a large resource, late negotiation", undefined),
  TD_COAP_BLOCK_03: {
    title: "PUT of a large resource",
    run: async (scene) => {
      const { client, server } = scene;
      const path = server.resources["largeUpdate"] ?? "";
      await client.request({ method: "put", path, payload: largeText, blockSizeBytes: uploadBlockBytes });
      checkUpload(scene, ["2.01", "2.04"]);
      assert.equal((await client.request({ method: "get", path })).payload, largeText);
    },
  },
  TD_COAP_BLOCK_04: {
    title: "POST that creates a large resource",
    run: async (scene) => {
      const { client, server } = scene;
      const path = server.resources["largeCreate"] ?? "";
      await client.request({ method: "post", path, payload: largeText, blockSizeBytes: uploadBlockBytes });
      const { response } = checkUpload(scene, ["2.01"]);
      const location = textValues(response, optionNumber.locationPath);
      assert.equal(location[0], "large-create");
      assert.equal((await client.request({ method: "get", path: `/${location.join("/")}` })).payload, largeText);
    },
  },
  TD_COAP_BLOCK_05: {
    title: "POST, large both ways",
    run: async (scene) => {
      const { client, server } = scene;
      const path = server.resources["largePost"] ?? "";
      const { code, payload } = await client.request({ method: "post", path, payload: largeText, blockSizeBytes: uploadBlockBytes });
      assert.equal(code, "2.04");
      assert.equal(payload, largeText);
      checkUpload(scene, ["2.04"]);
      checkDownload(scene.wire, (request) =>
        assert.ok(blockOf(request, optionNumber.block1), "the first block answers the last of the request"),
      );
    },
  },
  TD_COAP_BLOCK_06: download("GET of a large resource, blocks of 16", 16),
};
