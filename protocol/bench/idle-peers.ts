/** Memory of a peer that was answered once and has nothing open, bytes: a hundred thousand of them, a forced collection, a division. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Figure, rounded } from "./figure.ts";

const file = new URL("./idle-peers-process.js", import.meta.url);
const answers = [
  { payloadBytes: 0, name: "an answer without payload kept" },
  { payloadBytes: 64, name: "an answer of 64 B kept" },
];

/** A process each, so that nothing else lies in its memory. */
export async function idlePeerFigures(bench: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { payloadBytes, name } of answers) {
    const child = fork(fileURLToPath(file), [String(payloadBytes)], { execArgv: ["--expose-gc"] });
    const [message]: { bytesPerPeer: number }[] = await Promise.race([once(child, "message"), once(child, "exit").then(() => [])]);
    child.kill();
    if (message === undefined) throw new Error("the idle peers were not measured");
    figures.push({ bench, figure: `idle peer, ${name}`, value: rounded(message.bytesPerPeer), unit: "B", against: null, ratio: null });
  }
  return figures;
}
