/** The secrets of a bootstrap configuration taken out of its JSON form, and put back where they were. Pure. */
import { secretKeys } from "@lwm2m/bootstrap/config-fields";
import type { Json } from "../storage/collection.ts";
import { isJsonObject, type JsonObject } from "../storage/json-object.ts";

export interface ConfigApart {
  readonly config: Json;
  /** By where they stood: `security/0/secretKey`; what the JSON form holds as base64, as bytes. */
  readonly secrets: { readonly [place: string]: Uint8Array };
}

export function apart(config: Json): ConfigApart {
  const secrets: { [place: string]: Uint8Array } = {};
  const without = mapAccounts(config, (account, index) => {
    const kept: { [key: string]: Json } = {};
    for (const [key, value] of Object.entries(account)) {
      if (secretKeys.includes(key)) secrets[placeOf(index, key)] = new Uint8Array(Buffer.from(String(value), "base64"));
      else kept[key] = value;
    }
    return kept;
  });
  return { config: without, secrets };
}

export function together(config: Json, secrets: ConfigApart["secrets"]): Json {
  return mapAccounts(config, (account, index) => {
    const whole: { [key: string]: Json } = { ...account };
    for (const key of secretKeys) {
      const secret = secrets[placeOf(index, key)];
      if (secret !== undefined) whole[key] = Buffer.from(secret).toString("base64");
    }
    return whole;
  });
}

function placeOf(index: number, key: string): string {
  return `security/${index}/${key}`;
}

/** Secrets stand in the accounts of object 0 only; `readBootstrapConfig` refuses every other field. */
function mapAccounts(config: Json, change: (account: JsonObject, index: number) => JsonObject): Json {
  if (!isJsonObject(config)) return config;
  const { security } = config;
  if (!Array.isArray(security)) return config;
  const accounts: readonly Json[] = security;
  return { ...config, security: accounts.map((account, index) => (isJsonObject(account) ? change(account, index) : account)) };
}
