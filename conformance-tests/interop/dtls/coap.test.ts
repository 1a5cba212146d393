/** CoAP over DTLS (RFC 7252 §9): libcoap in both its builds and tinydtls under aiocoap ask our CoAP endpoint, and we ask libcoap's server. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { type MeasuredEndpoint, openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { PlugtestSite } from "@lwm2m/protocol/testing/plugtest-site";
import { stablePortPair } from "@lwm2m/server/testing/platform/stable-port";
import { Child } from "../platform/child.ts";
import { eventually } from "../platform/deadline.ts";
import { interopSuite } from "../platform/suite.ts";
import { otherIdentity, otherKeyHex, pskIdentity } from "./credentials.ts";
import { KeyFiles } from "./platform/key-files.ts";
import { loopback, OurDtls } from "./platform/our-dtls.ts";
import { tinydtlsClient } from "./platform/tinydtls.ts";
import { features } from "./wish.ts";

const files = new KeyFiles();
after(() => files.remove());
/** libcoap takes its key as text: these bytes are printable. */
const libcoapKey = "interop-key-text";
const wish = features["psk-ccm-8"];
const requestMs = 60_000;
const printableKey = new TextEncoder().encode(libcoapKey);
/** Not a multiple of any block size. */
const body = Array.from({ length: 3_001 }, (_, i) => String.fromCharCode(97 + ((i * 7 + (i >> 4)) % 26))).join("");

interface Site {
  readonly port: number;
  readonly dtls: OurDtls;
  readonly coap: MeasuredEndpoint;
  readonly site: PlugtestSite;
}

/** The plugtest's resources; libcoap's OpenSSL build offers no CCM by itself, so GCM is there beside CCM_8. */
async function openSite(credential: "psk" | "certificates" | "raw-keys"): Promise<Site> {
  const asked = credential === "psk" ? wish : features[credential];
  const findPsk = (identity: Uint8Array) => (Buffer.from(identity).toString() === pskIdentity ? printableKey : undefined);
  const realm = { server: { credentials: { realmOf: () => ({ findPsk }) } } };
  const dtls = await OurDtls.server({ ...asked, weRequireEms: false }, credential === "psk" ? realm : {});
  const coap = openCoapEndpoint({ socket: dtls.endpoint.plaintext, clock: systemClock, random: systemRandom });
  return { port: dtls.port, dtls, coap, site: new PlugtestSite(coap, systemClock) };
}

for (const build of ["openssl", "gnutls"] as const) {
  interopSuite(`coap-client-${build} asks us`, [`libcoap-${build}`], () => {
    const credentials = {
      psk: ["-u", pskIdentity, "-k", libcoapKey],
      certificates: ["-c", files.chain("client"), "-j", files.privateKey("client"), "-R", files.authority, "-C", files.authority],
    };
    const run = async (port: number, path: string, args: readonly string[], giveUpSeconds = 30): Promise<Child> => {
      const patience = ["-B", String(giveUpSeconds)];
      const client = new Child(`coap-client-${build}`, `coap-client-${build}`, [
        ...patience,
        ...args,
        `coaps://${loopback}:${port}${path}`,
      ]);
      await client.end(requestMs);
      return client;
    };

    for (const credential of ["psk", "certificates"] as const) {
      test(`${credential}: GET, PUT and GET in blocks of 256 bytes, observe`, async () => {
        const { port, dtls, coap, site } = await openSite(credential);
        const keys = credentials[credential];
        try {
          assert.match((await run(port, "/test", keys)).stdout.join("\n"), /\w/);
          const put = await run(port, "/large-update", [...keys, "-m", "put", "-b", "256", "-e", body]);
          assert.deepEqual(put.stdout, [], put.transcript());
          assert.equal((await run(port, "/large-update", [...keys, "-b", "256"])).stdout.join(""), body);
          const watch = new Child("observer", `coap-client-${build}`, [...keys, "-w", "-s", "60", `coaps://${loopback}:${port}/obs`]);
          await eventually("an observer", requestMs, () => ((site.observers.get("obs")?.size ?? 0) > 0 ? true : undefined));
          await site.change("obs", Buffer.from("changed"), true);
          await watch.says("changed");
          await watch.stop();
          assert.ok(dtls.news.every(({ kind }) => kind !== "handshake-failed"));
        } catch (error) {
          throw new Error(`${String(error)}\n${JSON.stringify(dtls.news)}`, { cause: error });
        } finally {
          await coap.close();
        }
      });
    }

    test("a wrong key and an unknown identity get no answer", async () => {
      const { port, dtls, coap } = await openSite("psk");
      for (const keys of [
        ["-u", pskIdentity, "-k", "another-key-text"],
        ["-u", otherIdentity, "-k", libcoapKey],
      ]) {
        const { stdout } = await run(port, "/test", keys, 4);
        assert.ok(!stdout.some((line) => /test/i.test(line)), stdout.join("\n"));
      }
      assert.equal(dtls.endpoint.counters["connected"], 0);
      await coap.close();
    });
  });

  interopSuite(`we ask coap-server-${build}`, [`libcoap-${build}`], () => {
    const name = `coap-server-${build}`;
    let server: Child;
    let plainPort: number;
    before(async () => {
      plainPort = await stablePortPair();
      // The secured port is the next one.
      server = new Child(name, name, ["-A", loopback, "-p", String(plainPort), "-k", libcoapKey, "-d", "10"]);
    });
    after(() => server?.stop());

    test("psk: GET, PUT in blocks and back", async () => {
      const dtls = await OurDtls.client({ ...wish, suite: build === "openssl" ? 0x00a8 : wish.suite, weRequireEms: false });
      const to = await eventually("its secured port", requestMs, () =>
        dtls.endpoint
          .connect(
            { address: loopback, port: plainPort + 1 },
            { psk: { identity: new TextEncoder().encode(pskIdentity), key: printableKey } },
          )
          .catch(() => undefined),
      );
      const coap = openCoapEndpoint({ socket: dtls.endpoint.plaintext, clock: systemClock, random: systemRandom });
      const peer = coap.peerAt(to);
      const root = await coap.request(peer, { method: Method.get, path: [] }, { timeoutMs: requestMs });
      assert.ok(root.ok && root.response.code === ResponseCode.content, JSON.stringify(root));
      const payload = Buffer.from(body);
      const put = await coap.request(peer, { method: Method.put, path: ["uploaded"], payload, contentFormat: 0 }, { timeoutMs: requestMs });
      assert.ok(put.ok && put.response.code === ResponseCode.created, JSON.stringify(put));
      const back = await coap.request(peer, { method: Method.get, path: ["uploaded"] }, { timeoutMs: requestMs });
      assert.ok(back.ok);
      assert.equal(Buffer.from(back.response.payload).toString(), body);
      await coap.close();
    });
  });
}

interopSuite("aiocoap over tinydtls asks us", ["tinydtls"], () => {
  test("psk: GET, PUT and GET in blocks; a wrong key gets no answer", async () => {
    const { port, coap, dtls } = await openSite("psk");
    const uri = (path: string): string => `coaps://${loopback}:${port}${path}`;
    try {
      const client = tinydtlsClient(pskIdentity, libcoapKey, [
        ["GET", uri("/test"), ""],
        ["PUT", uri("/large-update"), body],
        ["GET", uri("/large-update"), ""],
      ]);
      const { code } = await client.end(requestMs);
      assert.equal(code, 0, client.transcript());
      assert.match(client.stdout.at(-1) ?? "", new RegExp(body));
      assert.equal(dtls.endpoint.counters["connected"], 1);
      const wrong = tinydtlsClient(pskIdentity, otherKeyHex, [["GET", uri("/test"), ""]]);
      await wrong.end(requestMs);
      assert.deepEqual(wrong.stdout, ["FAILED"]);
      assert.equal(dtls.endpoint.counters["connected"], 1);
    } finally {
      await coap.close();
    }
  });
});
