/** The test world with the scripted server behind DTLS, next to a bootstrap server or alone; it can lose its memory in mid-run. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { makeOwnKey } from "@lwm2m/protocol/dtls/credentials/own-key";
import { SessionMemory } from "@lwm2m/protocol/dtls/credentials/session-memory";
import type { ServerRealm } from "@lwm2m/protocol/dtls/credentials-contract";
import { openDtlsEndpoint } from "@lwm2m/protocol/dtls/endpoint/dtls-endpoint";
import type { DtlsEndpoint, DtlsNews } from "@lwm2m/protocol/dtls/endpoint-contract";
import { makeSelfSignedCertificate } from "@lwm2m/protocol/dtls/x509/self-signed-certificate";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { type LinkConditions, MemoryNetwork } from "@lwm2m/protocol/testing/memory-network";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { makeWorld, openServer, type ScriptedServer, type World } from "./world.ts";

export const secureAddress: SocketAddress = { address: "192.0.2.1", port: 5_684 };
export const secureUri = "coaps://192.0.2.1";

/** A server that speaks DTLS, and what became of its handshakes. */
export interface SecureServer {
  readonly scripted: ScriptedServer;
  readonly dtls: DtlsEndpoint;
  readonly news: DtlsNews[];
  /** `connected`, `resumed`, `closed: …` in order. */
  readonly story: string[];
}

export interface SecureWorld extends World {
  readonly secure: SecureServer;
  /** Another server at another port of the same host. */
  add(port: number, realm: ServerRealm): Promise<SecureServer>;
  /** The server comes back and remembers nothing: no association, no session, no registration. */
  restart(): Promise<SecureServer>;
}

const utf8 = new TextEncoder();
const sessionDays = 1;
const dayMs = 86_400_000;

export const theKey = Uint8Array.from({ length: 16 }, (_, index) => index + 1);

/** One identity, one key. */
export function pskRealm(identity: string, key: Uint8Array = theKey): ServerRealm {
  const wanted = Buffer.from(utf8.encode(identity));
  return { findPsk: (asked) => (wanted.equals(asked) ? key : undefined) };
}

export interface TestIdentity {
  readonly privateKey: KeyObject;
  /** PKCS #8. */
  readonly privateDer: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly certificate: Uint8Array;
}

export function anIdentity(commonName: string, now: number): TestIdentity {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const wish = { privateKey, commonName, dnsNames: [commonName], notBefore: now - dayMs, notAfter: now + 365 * dayMs };
  return {
    privateKey,
    privateDer: new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" })),
    publicKey: makeOwnKey(privateKey).publicKey,
    certificate: makeSelfSignedCertificate(wish, seededRandom(7)),
  };
}

export async function openSecureWorld(realm: ServerRealm, conditions: Partial<LinkConditions> = {}, seed = 1): Promise<SecureWorld> {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const network = new MemoryNetwork(clock, random, conditions);
  const opened: SecureServer[] = [];
  const openAt = async (at: SocketAddress, own: ServerRealm): Promise<SecureServer> => {
    const sessions = new SessionMemory({ most: 10, lifetimeMs: sessionDays * dayMs }, clock);
    const server = { credentials: { realmOf: () => own }, sessions };
    const settings = { cipherSuites: [0xc0a8, 0x00a8, 0xc0ae, 0xc02b] };
    const dtls = await openDtlsEndpoint({ socket: network.socket(at), clock, random, server, settings });
    const news: DtlsNews[] = [];
    const story: string[] = [];
    dtls.onNews((each) => {
      news.push(each);
      if (each.kind === "connected") story.push(each.resumed ? "resumed" : "connected");
      else story.push(each.kind === "closed" ? `closed: ${each.reason}` : each.kind);
    });
    const secure = { scripted: openServer(clock, dtls.plaintext, random), dtls, news, story };
    opened.push(secure);
    return secure;
  };
  const first = await openAt(secureAddress, realm);
  const world = makeWorld({ clock, random, network, server: first.scripted });
  return {
    ...world,
    secure: first,
    add: (port, own) => openAt({ ...secureAddress, port }, own),
    async restart() {
      const running = opened.findLast(({ dtls }) => dtls.plaintext.local.port === secureAddress.port);
      await running?.scripted.endpoint.close();
      return openAt(secureAddress, realm);
    },
    async close() {
      for (const { scripted } of opened) await scripted.endpoint.close();
      await world.close();
    },
  };
}
