/** tinydtls under aiocoap (`interop/peers/dtls/tinydtls_client.py`): requests one after the other over one connection. */
import { join } from "node:path";
import { Child } from "../../platform/child.ts";
import { repositoryRoot, tinydtlsDirectory } from "../../platform/locations.ts";

const program = join(repositoryRoot, "conformance-tests/interop/peers/dtls/tinydtls_client.py");

/** Prints code and payload of each answer, or FAILED. */
export function tinydtlsClient(identity: string, key: string, requests: readonly (readonly [string, string, string])[]): Child {
  return new Child("aiocoap over tinydtls", join(tinydtlsDirectory, "bin/python"), [program, identity, key, JSON.stringify(requests)], {
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
}
