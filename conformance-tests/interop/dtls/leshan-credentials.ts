/** The keys of Leshan clients: as the server takes them over REST, and as arguments of the client. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { extension, issue, makeTestAuthority, makeTestKey, pemOf, type TestKey } from "@lwm2m/protocol/dtls/testing/test-authority";
import { field, type Json, type RestClient, text } from "../platform/rest-client.ts";

export type CredentialKind = "psk" | "rpk" | "x509";
export type Realm = "server" | "bootstrap";

const endEntity = { keyUsage: [0], authority: false } as const;
const serverHost = "localhost";
/** subjectAltName (RFC 5280 §4.2.1.6) of this host and of the addresses of loopback the suites use: clients compare what they connect to. */
const serverNames = extension("2.5.29.17", Buffer.from(`301782096c6f63616c686f7374${"87047f000001"}${"87047f000002"}`, "hex"));

/** One authority for server and devices; files in a directory of its own. */
export class LeshanKeys {
  readonly #directory = mkdtempSync(join(tmpdir(), "lwm2m-leshan-"));
  readonly #authority = makeTestAuthority("fleet root");
  readonly #server = issue(this.#authority, { ...endEntity, commonName: serverHost, extensions: [serverNames] });
  readonly #psk = new Map<string, { readonly identity: string; readonly keyHex: string }>();
  readonly #pairs = new Map<string, TestKey>();

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** The server's own certificate, and the authority whose certificates name devices that begin with `prefix`. */
  async install(rest: RestClient, prefix: string): Promise<void> {
    const { body } = await rest.get("/server-identities");
    const items = field(body, "items");
    assert.ok(Array.isArray(items), JSON.stringify(body));
    const own: Json | undefined = items.find((each: Json) => field(each, "realm") === "server");
    const privateKey = this.#server.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const chain = this.#server.chain.map((der) => pemOf("CERTIFICATE", der)).join("");
    const put = await rest.send("PUT", `/server-identities/${text(own, "id")}`, { body: { privateKey, chain } });
    assert.equal(put.status, 200, JSON.stringify(put.body));
    const certificate = pemOf("CERTIFICATE", this.#authority.certificate);
    const anchor = await rest.send("POST", "/trust-anchors", { body: { certificate, endpointFrom: "commonName", prefix } });
    assert.equal(anchor.status, 201, JSON.stringify(anchor.body));
  }

  /** Makes the credential known to the server; its id, or undefined for a certificate, which the authority vouches for. */
  async register(rest: RestClient, endpoint: string, kind: CredentialKind, realm: Realm = "server"): Promise<string | undefined> {
    if (kind === "x509") return undefined;
    const publicKey = (): string => Buffer.from(this.#pairOf(endpoint).publicKey).toString("base64");
    const what = kind === "psk" ? this.#pskOf(endpoint) : { publicKey: publicKey() };
    const { status, body } = await rest.send("POST", "/credentials", { body: { realm, endpoint, kind, ...what } });
    assert.equal(status, 201, JSON.stringify(body));
    return text(body, "id");
  }

  /** For a client that is to have the credential of `endpoint`. */
  argumentsOf(endpoint: string, kind: CredentialKind): readonly string[] {
    switch (kind) {
      case "psk": {
        const { identity, keyHex } = this.#pskOf(endpoint);
        return ["--psk", `${identity}:${keyHex}`];
      }
      case "rpk": {
        const { publicKey, privateKey } = this.#pairOf(endpoint);
        const own = this.#file(`${endpoint}-public.der`, publicKey);
        const server = this.#file("server-public.der", this.#server.publicKey);
        return ["--rpk", this.#keyFile(endpoint, privateKey), "--rpk-public", own, "--server-key", server];
      }
      case "x509": {
        const { certificate, privateKey } = issue(this.#authority, { ...endEntity, commonName: endpoint });
        const own = this.#file(`${endpoint}.der`, certificate);
        const server = this.#file("server.der", this.#server.certificate);
        return ["--cert", own, "--key", this.#keyFile(endpoint, privateKey), "--server-cert", server];
      }
    }
  }

  pskOf(endpoint: string): { readonly identity: string; readonly secretKey: string } {
    const { identity, keyHex } = this.#pskOf(endpoint);
    return { identity, secretKey: Buffer.from(keyHex, "hex").toString("base64") };
  }

  #pskOf(endpoint: string): { readonly identity: string; readonly keyHex: string } {
    return remembered(this.#psk, endpoint, () => ({ identity: `key-of-${endpoint}`, keyHex: randomBytes(16).toString("hex") }));
  }

  #pairOf(endpoint: string): TestKey {
    return remembered(this.#pairs, endpoint, () => makeTestKey());
  }

  #keyFile(endpoint: string, key: TestKey["privateKey"]): string {
    return this.#file(`${endpoint}-key.der`, key.export({ type: "pkcs8", format: "der" }));
  }

  #file(name: string, content: Uint8Array): string {
    const path = join(this.#directory, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }
}

function remembered<T>(known: Map<string, T>, name: string, make: () => T): T {
  const found = known.get(name) ?? make();
  known.set(name, found);
  return found;
}
