/** The version in the package's own `package.json`, one folder above the built code. */
import { readFileSync } from "node:fs";

export function serverVersion(): string {
  const description: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const version = description !== null && typeof description === "object" && "version" in description ? description.version : undefined;
  if (typeof version !== "string") throw new Error("the server's package.json names no version");
  return version;
}
