import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceAddress, openWorld, serverAddress } from "../testing/coap-world.ts";
import { messageIdOf, tokenOf } from "../testing/scripted-peer.ts";
import { watch } from "../testing/watch.ts";
import { Method, ResponseCode } from "./codes.ts";
import { blockSizeForMtu, findLinkProfile, linkProfiles } from "./link-profiles.ts";
import { exchangeLifetimeMs, maxTransmitWaitMs } from "./parameters.ts";

test("RFC 7252 §4.8.2: what follows from each profile is computed from it", () => {
  const derived = Object.fromEntries(
    Object.entries(linkProfiles).map(([name, profile]) => [
      name,
      [maxTransmitWaitMs(profile) / 1_000, exchangeLifetimeMs(profile) / 1_000, profile.blockSizeBytes],
    ]),
  );
  assert.deepEqual(derived, {
    default: [93, 247, 1_024],
    nbiot: [697.5, 552.5, 256],
    ltem: [186, 294, 1_024],
    lorawan: [3_150, 2_250, 64],
    satellite: [675, 945, 256],
  });
  assert.equal(findLinkProfile("nbiot"), linkProfiles.nbiot);
  assert.equal(findLinkProfile("toString"), undefined);
});

test("RFC 7252 §4.6: the block size fits the datagram of the link beside 128 bytes of header and options", () => {
  assert.deepEqual([1_500, 1_280, 1_152, 1_151, 512, 222, 100].map(blockSizeForMtu), [1_024, 1_024, 1_024, 512, 256, 64, 16]);
});

test("profile nbiot: first resend after 15 s or more, bodies in blocks of 256", async () => {
  const world = openWorld();
  const endpoint = world.endpoint(serverAddress, { parameters: { ...linkProfiles.nbiot, ackRandomFactor: 1 } });
  const peer = world.scripted();
  const outcome = watch(
    endpoint.request(endpoint.peerAt(deviceAddress), { method: Method.put, path: ["a"], payload: new Uint8Array(300) }),
  );
  await world.clock.advance(15_011);
  const [first, again] = peer.heard.splice(0);
  assert.deepEqual([first?.at, again?.at], [10, 15_010]);
  assert.equal(first?.hex, again?.hex);
  // Block1 0, more, 256 bytes: 0c. Size1 300.
  assert.match(first?.hex ?? "", /d1030cd214012cff(00){256}$/);
  const [last = ""] = await peer.ask(`685f${messageIdOf(first?.hex ?? "")}${tokenOf(first?.hex ?? "")}d10e0c`);
  await peer.ask(`6844${messageIdOf(last)}${tokenOf(last)}d10e14`);
  assert.equal(outcome()?.ok, true);
  await world.end();
});

test("RFC 7252 §4.8.2: a message id of a peer stays taken for the EXCHANGE_LIFETIME of its own link", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  const [near, far] = [2, 3].map((host) => world.scripted({ address: `10.0.1.${host}`, port: 1 }));
  assert.ok(near && far);
  endpoint.setParameters(endpoint.peerAt(far.address), linkProfiles.lorawan);
  let runs = 0;
  endpoint.handle(() => {
    runs++;
    return { code: ResponseCode.changed };
  });
  const post = "4102000177b27264";
  await near.ask(post);
  await far.ask(post);
  assert.equal(runs, 2);
  await world.clock.advance(300_000);
  assert.deepEqual(await far.ask(post), ["6144000177"]);
  assert.equal(runs, 2, "300 s later a duplicate on LoRaWAN");
  await near.ask(post);
  assert.equal(runs, 3, "300 s later a new message on a fast link");
  await world.clock.advance(linkProfilesLifetime);
  await far.ask(post);
  assert.equal(runs, 4);
  endpoint.setParameters(endpoint.peerAt(far.address), undefined);
  await world.end();
});

const linkProfilesLifetime = exchangeLifetimeMs(linkProfiles.lorawan);

test("a body in blocks whose pieces come an exchange of a slow link apart is put together", async () => {
  const world = openWorld();
  const endpoint = world.endpoint();
  endpoint.setParameters(endpoint.peerAt(deviceAddress), linkProfiles.lorawan);
  let bodyBytes = 0;
  endpoint.handle((request) => {
    bodyBytes = request.payload.length;
    return { code: ResponseCode.changed };
  });
  const peer = world.scripted();
  assert.deepEqual(await peer.ask(`4103000101b161d10308ff${"00".repeat(16)}`), ["615f000101d10e08"]);
  await world.clock.advance(1_200_000);
  assert.deepEqual(await peer.ask("4103000201b161d10310ff00"), ["6144000201d10e10"]);
  assert.equal(bodyBytes, 17);
  endpoint.setParameters(endpoint.peerAt(deviceAddress), undefined);
  await world.end();
});

for (const { omitsFetchBodyInLaterBlocks, tail } of [
  { omitsFetchBodyInLaterBlocks: false, tail: "113cb110ff5b5d" },
  { omitsFetchBodyInLaterBlocks: true, tail: "c110" },
]) {
  test(`RFC 8132 §2.3: a FETCH ${omitsFetchBodyInLaterBlocks ? "leaves out" : "repeats"} its body when it asks for later blocks of the answer`, async () => {
    const world = openWorld();
    const endpoint = world.endpoint();
    const peer = world.scripted();
    const to = endpoint.peerAt(deviceAddress);
    endpoint.setParameters(to, { ...linkProfiles.default, omitsFetchBodyInLaterBlocks });
    const fetch = { method: Method.fetch, path: ["a"], contentFormat: 60, payload: Buffer.from("[]") } as const;
    const outcome = watch(endpoint.request(to, fetch));
    const [first = ""] = await peer.listen();
    assert.ok(first.endsWith("b161113cff5b5d"), first);
    const [later = ""] = await peer.ask(`6845${messageIdOf(first)}${tokenOf(first)}d10a08ff${"61".repeat(16)}`);
    assert.ok(later.endsWith(`b161${tail}`), later);
    await peer.ask(`6845${messageIdOf(later)}${tokenOf(later)}d10a10ff62`);
    assert.equal(outcome()?.ok, true);
    endpoint.setParameters(to, undefined);
    await world.end();
  });
}
