/**
 * `npm run secret-key -- list | rotate`: the keys that seal stored secrets, by their ids; `SECRET_KEY_FILE` and `DATA_DIR` say where, as for
 * the server. Exit code 0, 1 when the file cannot be used, 2 for a wrong call.
 */
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { rotateSecretKey } from "./security/rotate-secret-key.ts";
import { findSecretKeys, type SecretKeys, secretKeyPath } from "./security/secret-key-file.ts";
import { parseSettings } from "./settings/config.ts";
import { StartError } from "./start-error.ts";

const usage = "usage: secret-key list | rotate [--data-dir DIRECTORY] [--secret-key-file FILE]";

const [command, ...flags] = process.argv.slice(2);
const parsed = parseSettings(process.env, flags);
if ((command !== "list" && command !== "rotate") || parsed.kind !== "settings") {
  const reasons = parsed.kind === "errors" ? parsed.errors : [];
  process.stderr.write([...reasons, usage].map((line) => `${line}\n`).join(""));
  process.exitCode = 2;
} else {
  const { secretKeyFile: file, dataDir } = parsed.settings;
  const keyFile = { file, dataDir };
  try {
    const keys = command === "rotate" ? await rotateSecretKey(keyFile, systemRandom) : await findSecretKeys(keyFile);
    if (keys === undefined) throw new StartError(`${secretKeyPath(keyFile)} is not there; the first start makes it`);
    process.stdout.write(told(keys));
    if (command === "rotate") process.stderr.write("Start the server again: it encrypts every stored secret with the new key.\n");
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

function told(keys: SecretKeys): string {
  return keys.map(({ id }, index) => `${id}  ${index === 0 ? "encrypts" : "former"}\n`).join("");
}
