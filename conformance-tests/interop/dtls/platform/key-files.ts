/** The credentials as files, in every form a peer reads. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestKey } from "@lwm2m/protocol/dtls/testing/test-authority";
import { pemOf } from "@lwm2m/protocol/dtls/testing/test-authority";
import { authority, type CertificateName, certificates, pskIdentity, pskKeyHex, rawKeys } from "../credentials.ts";

export class KeyFiles {
  readonly directory = mkdtempSync(join(tmpdir(), "lwm2m-dtls-"));

  constructor() {
    this.#write("authority.pem", pemOf("CERTIFICATE", authority.certificate));
    for (const [name, made] of Object.entries(certificates)) {
      this.#write(`${name}.pem`, made.chain.map((der) => pemOf("CERTIFICATE", der)).join(""));
      this.#writeKeys(name, made);
    }
    for (const [name, key] of Object.entries(rawKeys)) this.#writeKeys(`raw-${name}`, key);
    this.#write("psk.txt", `${pskIdentity}:${pskKeyHex}\n`);
    // OpenSSL has no argument for this, only a setting (ssl_conf_cmd).
    this.#write(
      "no-ems.cnf",
      "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\nOptions = -ExtendedMasterSecret\n",
    );
  }

  get authority(): string {
    return this.at("authority.pem");
  }

  chain(name: CertificateName): string {
    return this.at(`${name}.pem`);
  }

  /** PKCS #8; `raw-` in front for the raw keys. */
  privateKey(name: CertificateName | "raw-server" | "raw-client", form: "pem" | "der" = "pem"): string {
    return this.at(`${name}-key.${form}`);
  }

  publicKey(name: "raw-server" | "raw-client", form: "pem" | "der" = "pem"): string {
    return this.at(`${name}-public.${form}`);
  }

  at(name: string): string {
    return join(this.directory, name);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #writeKeys(name: string, { privateKey, publicKey }: TestKey): void {
    this.#write(`${name}-key.pem`, privateKey.export({ type: "pkcs8", format: "pem" }));
    this.#write(`${name}-key.der`, privateKey.export({ type: "pkcs8", format: "der" }));
    this.#write(`${name}-public.pem`, pemOf("PUBLIC KEY", publicKey));
    this.#write(`${name}-public.der`, publicKey);
  }

  #write(name: string, content: string | Uint8Array): void {
    writeFileSync(this.at(name), content, { mode: 0o600 });
  }
}
