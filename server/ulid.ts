import type { Random } from "@lwm2m/protocol/ports/random";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const timeCharacters = 10;
const randomCharacters = 16;

/** An identifier that sorts by creation: 48 bits of epoch milliseconds, then 80 bits of chance, in Crockford's base 32 (ULID specification). */
export function ulid(nowMs: number, random: Random): string {
  let time = "";
  for (let left = nowMs, i = 0; i < timeCharacters; i += 1) {
    time = alphabet.charAt(left % 32) + time;
    left = Math.floor(left / 32);
  }
  return time + Array.from(random.bytes(randomCharacters), (byte) => alphabet.charAt(byte % 32)).join("");
}

export const ulidPattern = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
