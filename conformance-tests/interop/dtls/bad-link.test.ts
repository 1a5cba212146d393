/** RFC 6347 §4.2.4 over Mbed TLS's udp_proxy, by seed: loss, duplication, reordering and a small MTU, in both roles. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { stablePort } from "@lwm2m/server/testing/platform/stable-port";
import { Child } from "../platform/child.ts";
import { mbedtlsProgram } from "../platform/locations.ts";
import { interopSuite } from "../platform/suite.ts";
import { ourClientCredentials } from "./credentials.ts";
import { KeyFiles } from "./platform/key-files.ts";
import { mbedtls } from "./platform/mbedtls.ts";
import { openssl } from "./platform/openssl.ts";
import { loopback, OurDtls } from "./platform/our-dtls.ts";
import type { DtlsPeer } from "./platform/peer.ts";
import { pion } from "./platform/pion.ts";
import { features, type Wish } from "./wish.ts";

const files = new KeyFiles();
after(() => files.remove());
const peers: readonly (readonly ["openssl" | "mbedtls" | "pion", DtlsPeer])[] = [
  ["openssl", openssl],
  ["mbedtls", mbedtls],
  ["pion", pion],
];
interface Link {
  readonly name: string;
  readonly faults: readonly string[];
  readonly seeds: readonly number[];
  readonly wishes: readonly Wish[];
  /** Who cannot, and why. */
  readonly not?: { readonly [peer: string]: string };
}

/** Application data has no second chance in DTLS: the handshake is what must come about. */
const links: readonly Link[] = [
  {
    name: "one datagram of 6 lost, one of 5 doubled, one of 5 late",
    faults: ["drop=6", "duplicate=5", "delay=5"],
    seeds: [1, 2],
    wishes: [features["psk-ccm-8"], features.certificates],
  },
  { name: "every third doubled and every third late", faults: ["duplicate=3", "delay=3"], seeds: [1], wishes: [features.certificates] },
  {
    name: "nothing larger than 508 bytes",
    faults: ["mtu=508"],
    seeds: [1],
    wishes: [{ ...features.certificates, peerMtu: 508 }],
    not: { pion: "its datagrams are as large as its program was built for" },
  },
];
const concurrency = 6;
const quick = { settings: { initialTimeoutMs: 250, mostRetransmissions: 8, mtuBytes: 400, smallMtuBytes: 300 } } as const;

async function openProxy(
  server: number,
  faults: readonly string[],
  seed: number,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const port = await stablePort("udp");
  const args = [
    `server_addr=${loopback}`,
    `server_port=${server}`,
    `listen_addr=${loopback}`,
    `listen_port=${port}`,
    `seed=${seed}`,
    ...faults,
  ];
  const child = new Child("udp_proxy", mbedtlsProgram("udp_proxy"), args);
  await child.says("  . Bind on UDP");
  return {
    port,
    close: async () => {
      child.kill();
      await child.exited;
    },
  };
}

for (const [name, peer] of peers) {
  interopSuite(
    `${name} and we over a bad link`,
    [name, "mbedtls"],
    () => {
      for (const { name: link, faults, seeds, wishes, not } of links) {
        if (not?.[name] !== undefined) continue;
        for (const seed of seeds) {
          for (const wish of wishes) {
            const what = `${wish.credential}, ${link}, seed ${seed}`;
            test(`it asks us: ${what}`, () => checkServer(peer, wish, faults, seed));
            test(`we ask it: ${what}`, () => checkClient(peer, wish, faults, seed));
          }
        }
      }
    },
    concurrency,
  );
}

async function checkServer(peer: DtlsPeer, wish: Wish, faults: readonly string[], seed: number): Promise<void> {
  const ours = (await OurDtls.server(wish, quick)).echo(wish);
  const proxy = await openProxy(ours.port, faults, seed);
  const client = peer.connect?.(proxy.port, wish, files);
  assert.ok(client);
  try {
    const { cipherSuite } = await ours.tells("connected");
    assert.equal(cipherSuite, wish.suite);
    assert.equal(ours.news.filter(({ kind }) => kind === "handshake-failed").length, 0);
  } catch (error) {
    throw new Error(`${String(error)}\n${client.transcript()}`, { cause: error });
  } finally {
    await client.kill();
    await proxy.close();
    await ours.close();
  }
}

async function checkClient(peer: DtlsPeer, wish: Wish, faults: readonly string[], seed: number): Promise<void> {
  const server = await peer.serve?.(wish, files);
  assert.ok(server);
  const proxy = await openProxy(server.port, faults, seed);
  const ours = (await OurDtls.client(wish, quick)).onText();
  try {
    await ours.endpoint.connect({ address: loopback, port: proxy.port }, ourClientCredentials(wish));
  } catch (error) {
    throw new Error(`${String(error)}\n${server.transcript()}`, { cause: error });
  } finally {
    await server.kill();
    await proxy.close();
    await ours.close();
  }
}
