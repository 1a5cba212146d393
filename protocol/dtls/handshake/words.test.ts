/**
 * Every word of six messages over an alphabet of a dozen, against both roles and every flow: the peer ends authenticated for exactly
 * those words that hold the whole path in its order. State learning found what this looks for in a dozen other stacks.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type SeededRandom, seededRandom } from "../../testing/seeded-random.ts";
import { ContentType } from "../constants.ts";
import type { ResumableSession } from "../credentials-contract.ts";
import { defaultHandshakeSettings, type HandshakeEffect, type HandshakeInput, type HandshakeMachine } from "../handshake-contract.ts";
import { accept, ownKey, pskIdentity, pskKey } from "../testing/handshake-parties.ts";
import { WaywardPeer, type WaywardWish, type Word } from "../testing/wayward-peer.ts";
import { ClientHandshake } from "./client-handshake.ts";
import { ServerHandshake } from "./server-handshake.ts";

const pskSuite = 0xc0a8;
const ecdsaSuite = 0xc0ae;
const longest = 6;
/** Six take some minutes: WORDS=all. */
const mostIdle = process.env["WORDS"] === "all" ? longest : 2;

const serverAlphabet: readonly Word[] = [
  "clientHello",
  "certificate",
  "emptyCertificate",
  "clientKeyExchange",
  "certificateVerify",
  "changeCipherSpec",
  "finished",
  "plainFinished",
  "applicationData",
  "warning",
  "helloRequest",
  "serverHelloDone",
];

const clientAlphabet: readonly Word[] = [
  "helloVerifyRequest",
  "serverHello",
  "certificate",
  "emptyCertificate",
  "serverKeyExchange",
  "certificateRequest",
  "serverHelloDone",
  "newSessionTicket",
  "changeCipherSpec",
  "finished",
  "plainFinished",
  "applicationData",
  "helloRequest",
];

/** Change nothing wherever they stand: no handshake messages, or such as are to be ignored (RFC 5246 §7.4.1.1). */
const noSteps: { readonly [role in "client" | "server"]: readonly Word[] } = {
  server: ["changeCipherSpec", "applicationData", "warning"],
  client: ["changeCipherSpec", "applicationData", "helloRequest"],
};

interface Trial {
  readonly machine: HandshakeMachine;
  readonly peer: WaywardPeer;
}

interface Flow {
  readonly name: string;
  readonly tried: "client" | "server";
  readonly paths: readonly (readonly Word[])[];
  readonly begin: () => Trial & { readonly first: readonly HandshakeEffect[] };
}

const session: ResumableSession = {
  sessionId: new Uint8Array(32).fill(9),
  masterSecret: new Uint8Array(48).fill(3),
  cipherSuite: pskSuite,
  extendedMasterSecret: true,
  encryptThenMac: false,
  maxFragmentLength: undefined,
  serverName: undefined,
  identity: { kind: "psk", identity: pskIdentity },
  madeAt: 0,
};

const peersKey = ownKey("rpk");
const triedKey = ownKey("rpk");

function tryServer(wish: Omit<WaywardWish, "role">, clientAuthentication: "required" | "none"): ReturnType<Flow["begin"]> {
  const peer = new WaywardPeer({ ...wish, role: "client" });
  const realm = { findPsk: () => pskKey, own: triedKey, verifyClient: accept, clientAuthentication };
  const machine = new ServerHandshake({
    settings: { ...defaultHandshakeSettings, cipherSuites: [wish.suite] },
    credentials: { realmOf: () => realm },
    sessions: { find: () => wish.session, keep: () => undefined, forget: () => undefined, forgetOf: () => undefined },
    random: seededRandom(1),
    verifiedHello: peer.message("clientHello"),
  });
  return { machine, peer, first: machine.start(0) };
}

function tryClient(wish: Omit<WaywardWish, "role">): ReturnType<Flow["begin"]> {
  const peer = new WaywardPeer({ ...wish, role: "server" });
  const proven = { own: triedKey, verifyServer: accept } as const;
  const machine = new ClientHandshake({
    settings: { ...defaultHandshakeSettings, cipherSuites: [wish.suite] },
    credentials: wish.own === undefined ? { psk: { identity: pskIdentity, key: pskKey } } : proven,
    random: seededRandom(1),
    ...(wish.session === undefined ? {} : { session: wish.session }),
  });
  return { machine, peer, first: machine.start(0) };
}

const own = peersKey;

const flows: readonly Flow[] = [
  { name: "PSK", tried: "server", paths: [["clientKeyExchange", "finished"]], begin: () => tryServer({ suite: pskSuite }, "required") },
  {
    name: "anonymous client",
    tried: "server",
    paths: [["clientKeyExchange", "finished"]],
    begin: () => tryServer({ suite: ecdsaSuite, own }, "none"),
  },
  {
    name: "mutual raw keys",
    tried: "server",
    paths: [["certificate", "clientKeyExchange", "certificateVerify", "finished"]],
    begin: () => tryServer({ suite: ecdsaSuite, own }, "required"),
  },
  { name: "resumption", tried: "server", paths: [["finished"]], begin: () => tryServer({ suite: pskSuite, session }, "required") },
  {
    name: "PSK",
    tried: "client",
    paths: withCookies([
      ["serverHello", "serverHelloDone", "finished"],
      ["serverHello", "serverKeyExchange", "serverHelloDone", "finished"],
    ]),
    begin: () => tryClient({ suite: pskSuite }),
  },
  {
    name: "mutual raw keys",
    tried: "client",
    paths: withCookies([
      ["serverHello", "certificate", "serverKeyExchange", "serverHelloDone", "finished"],
      ["serverHello", "certificate", "serverKeyExchange", "certificateRequest", "serverHelloDone", "finished"],
    ]),
    begin: () => tryClient({ suite: ecdsaSuite, own }),
  },
  {
    name: "resumption",
    tried: "client",
    paths: withCookies([["serverHello", "finished"]]),
    begin: () => tryClient({ suite: pskSuite, session }),
  },
];

function withCookies(paths: readonly (readonly Word[])[]): readonly (readonly Word[])[] {
  return paths.flatMap((path) => [
    path,
    ["helloVerifyRequest", ...path] as const,
    ["helloVerifyRequest", "helloVerifyRequest", ...path] as const,
  ]);
}

interface Outcome {
  readonly connected: number;
  readonly isOver: boolean;
  /** The last message had no effect. */
  readonly isIdle: boolean;
}

/** Plays the word to a fresh machine. Records of epoch 1 reach it whether or not there are keys: harder than the record layer. */
function play(flow: Flow, word: readonly Word[]): Outcome {
  const { machine, peer, first } = flow.begin();
  const effects: HandshakeEffect[] = [];
  const take = (more: readonly HandshakeEffect[]): void => {
    for (const effect of more) {
      effects.push(effect);
      if (effect.kind === "send") peer.hear(effect.records);
      if (effect.kind === "ask") take(machine.step({ kind: "answer", ask: effect.ask, answer: answerTo(effect.question.kind) }, 0));
    }
  };
  take(first);
  let before = effects.length;
  for (const each of word) {
    before = effects.length;
    take(machine.step(peer.say(each), 0));
  }
  return {
    isIdle: effects.length === before,
    connected: effects.filter(({ kind }) => kind === "connected").length,
    isOver: effects.some(({ kind }) => kind === "failed" || kind === "done"),
  };
}

function answerTo(kind: "psk" | "verify" | "still-welcome") {
  if (kind === "psk") return { kind, key: pskKey };
  if (kind === "verify") return { kind, verdict: accept({ kind: "rpk", publicKey: peersKey.publicKey }) };
  return { kind, welcome: true };
}

function holdsThePath({ paths, tried }: Flow, word: readonly Word[]): boolean {
  const steps = word.filter((each) => !noSteps[tried].includes(each));
  return word.includes("changeCipherSpec") && paths.some((path) => path.every((each, index) => steps[index] === each));
}

/**
 * All continuations of a word that has not ended the handshake one way or the other: what comes after the end is tested below. Words
 * that wait for something they never get are cut off where `mostIdle` messages had no effect, unless told to go all the way.
 */
function explore(flow: Flow, prefix: readonly Word[], idle: number, seen: { words: number; connected: number }): void {
  for (const each of flow.tried === "server" ? serverAlphabet : clientAlphabet) {
    const word = [...prefix, each];
    const { connected, isOver, isIdle } = play(flow, word);
    seen.words += 1;
    seen.connected += connected;
    assert.equal(connected, holdsThePath(flow, word) ? 1 : 0, `${flow.tried}, ${flow.name}: ${word.join(" ")}`);
    const idleNow = idle + (isIdle ? 1 : 0);
    if (!isOver && connected === 0 && word.length < longest && idleNow <= mostIdle) explore(flow, word, idleNow, seen);
  }
}

for (const flow of flows) {
  test(`RFC 5246 §7.3: ${flow.name}, no word of ${longest} but the right ones satisfies a ${flow.tried}`, (context) => {
    const seen = { words: 0, connected: 0 };
    explore(flow, [], 0, seen);
    context.diagnostic(`${seen.words} words`);
    assert.ok(seen.connected > 0, "the right path was among the words");
  });
}

const mostHeldBytes = 64_000;

for (const flow of flows) {
  test(`${flow.name}, damaged messages in any order: a ${flow.tried} throws nothing, keeps little and ends once`, () => {
    const chance = seededRandom(11);
    for (let round = 0; round < 500; round++) {
      const { machine, peer, first } = flow.begin();
      const effects = [...first];
      peer.hear(first.flatMap((effect) => (effect.kind === "send" ? effect.records : [])));
      const [path = []] = flow.paths;
      for (let said = 0; said < 8; said++) {
        // Mostly the right way, so that damage is met at every depth.
        const word = chance.fraction() < 0.7 ? (path[said] ?? "changeCipherSpec") : chance.pick(serverAlphabet.concat(clientAlphabet));
        const more = machine.step(damaged(peer.say(word), chance), said * 100);
        effects.push(...more);
        for (const effect of more) {
          if (effect.kind === "send") peer.hear(effect.records.filter(({ type }) => type === ContentType.handshake));
          if (effect.kind === "ask")
            effects.push(...machine.step({ kind: "answer", ask: effect.ask, answer: answerTo(effect.question.kind) }, 0));
        }
        if (chance.fraction() < 0.1) effects.push(...machine.step({ kind: "timeout" }, said * 1_000));
        assert.ok(machine.heldBytes <= mostHeldBytes);
      }
      const ends = effects.filter(({ kind }) => kind === "failed" || kind === "connected").length;
      assert.ok(ends <= 1, `round ${round}: ${effects.map(({ kind }) => kind).join(" ")}`);
    }
  });
}

function damaged(input: HandshakeInput, chance: SeededRandom): HandshakeInput {
  if (input.kind !== "record" || chance.fraction() < 0.6) return input;
  const fragment = input.fragment.slice(0, chance.fraction() < 0.3 ? chance.integer(input.fragment.length + 1) : input.fragment.length);
  for (let flips = chance.integer(4); flips > 0 && fragment.length > 0; flips--)
    fragment[chance.integer(fragment.length)] = chance.integer(256);
  return { ...input, fragment, epoch: chance.fraction() < 0.1 ? 1 : input.epoch };
}
