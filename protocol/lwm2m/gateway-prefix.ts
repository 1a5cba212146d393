/** The name a device behind an LwM2M gateway has in paths (LwM2M Gateway 1.1 §6: `/d01/3/0/9`; object 25, resource 1). */
import { Lwm2mFormatError } from "./format-error.ts";
import { quoted } from "./scalar.ts";

/** A path segment that no identifier is: it begins with no digit. The object leaves its length open; names and logs do not. */
const prefixPattern = /^[A-Za-z_~.-][\w~.-]{0,63}$/;

/** Throws `path`. */
export function checkedPrefix(text: string): string {
  if (!prefixPattern.test(text)) throw new Lwm2mFormatError("path", `no gateway prefix: ${quoted(text)}`);
  return text;
}

/** A record name as prefix and the rest of it; prefix "" where the first segment is an identifier. */
export function splitPrefix(name: string): { readonly prefix: string; readonly rest: string } {
  const match = /^\/?([^/\d][^/]*)(\/.*)$/.exec(name);
  const [, prefix, rest] = match ?? [];
  return prefix === undefined || rest === undefined ? { prefix: "", rest: name } : { prefix: checkedPrefix(prefix), rest };
}
