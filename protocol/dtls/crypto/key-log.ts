/** One line of a key log as Wireshark reads it (the NSS format): it gives away the whole connection. */
export function keyLogLine(clientRandom: Uint8Array, masterSecret: Uint8Array): string {
  return `CLIENT_RANDOM ${Buffer.from(clientRandom).toString("hex")} ${Buffer.from(masterSecret).toString("hex")}`;
}
