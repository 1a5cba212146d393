/** Every word of six records to a server endpoint after its first flight: connected for those that hold the whole path, for no other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AlertDescription, AlertLevel, ContentType, HandshakeType } from "../constants.ts";
import type { TortureClient } from "./torture-client.ts";
import { TortureWorld } from "./torture-world.ts";

const anId = Uint8Array.of(1, 2, 3);
const longest = 6;
/** Records that change nothing, per word; six take a minute or two: WORDS=all. */
const mostIdle = process.env["WORDS"] === "all" ? longest : 1;
/** Between two rests in which what was left half-way is forgotten. */
const wordsAtOnce = 2_000;

const alphabet: { readonly [word: string]: (client: TortureClient) => Uint8Array } = {
  clientHello: (client) => client.handshake(client.hello()),
  certificate: (client) => client.handshake(client.message(HandshakeType.certificate, new Uint8Array(3))),
  clientKeyExchange: (client) => client.handshake(client.keyExchange()),
  certificateVerify: (client) => client.handshake(client.message(HandshakeType.certificateVerify, new Uint8Array(4))),
  changeCipherSpec: (client) => client.changeCipherSpec(),
  finished: (client) => client.sealed(ContentType.handshake, client.finished()),
  plainFinished: (client) => client.handshake(client.finished()),
  data: (client) => client.data("data"),
  warning: (client) => client.record(ContentType.alert, client.alert(AlertLevel.warning, AlertDescription.userCanceled)),
};
const path = ["clientKeyExchange", "finished"];
/** Change nothing wherever they stand. */
const noSteps = ["changeCipherSpec", "data", "warning"];

function holdsThePath(word: readonly string[]): boolean {
  const steps = word.filter((each) => !noSteps.includes(each));
  return word.includes("changeCipherSpec") && path.every((each, index) => steps[index] === each);
}

test(`RFC 5246 §7.3: no word of ${longest} records but the right ones satisfies a server endpoint, and data is heard behind those only`, async (context) => {
  const limits = {
    handshakes: 10_000,
    handshakesPerAddress: 10_000,
    handshakesPerPrefix: 10_000,
    handshakesPerSecond: 1e6,
    handshakeBurst: 1e6,
  };
  const world = await TortureWorld.open({ limits: { ...limits, lingering: 10, cookiesPerPrefixPerSecond: 1e6 } });
  const seen = { words: 0, connected: 0 };
  const play = async (word: readonly string[]): Promise<boolean> => {
    const { words } = seen;
    const at = { address: `10.1.${(words >> 8) & 255}.${words & 255}`, port: 5_000 };
    const client = world.client({ at, connectionId: anId, name: `dev${words % wordsAtOnce}` });
    client.knock();
    // What is sealed before there are keys is sealed with keys of nothing.
    client.deriveFromNothing();
    const before = [world.count("connected"), world.news.length, world.texts.length] as const;
    for (const each of word) client.send(alphabet[each]?.(client) ?? new Uint8Array(0));
    const connected = world.count("connected") - before[0];
    assert.equal(connected, holdsThePath(word) ? 1 : 0, word.join(" "));
    assert.ok(connected === 1 || world.texts.length === before[2], `heard: ${word.join(" ")}`);
    seen.words += 1;
    seen.connected += connected;
    const isOver = world.news.length > before[1];
    if (seen.words % wordsAtOnce === 0) {
      await world.clock.advance(600_000);
      world.forget();
    }
    return isOver;
  };
  const explore = async (prefix: readonly string[]): Promise<void> => {
    for (const each of Object.keys(alphabet)) {
      const word = [...prefix, each];
      // What ended the handshake ends the word; and so do records without effect, beyond so many.
      const isOver = await play(word);
      const idle = word.filter((said) => noSteps.includes(said)).length;
      if (!isOver && word.length < longest && idle <= mostIdle) await explore(word);
    }
  };
  await explore([]);
  context.diagnostic(`${seen.words} words, ${seen.connected} connected`);
  assert.ok(seen.connected > 10 && seen.words > 1_000);
  await world.end();
});
