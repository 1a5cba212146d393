/** Addresses as four words (IPv6, or IPv4 mapped into it, RFC 4291 §2.5.5.2) and back as the text a socket gives. */

export const addressWords = 4;
const mappedWord = 0xffff;
const groupsOfAddress = 8;
const octetsOfAddress = 4;
const dot = 0x2e;
const digitZero = 0x30;

/** False for what is no literal address. The scope of a link-local one (`%eth0`) has no place in the words. */
export function readAddress(text: string, out: Uint32Array): boolean {
  if (readDotted(text, out)) return true;
  const scopeAt = text.indexOf("%");
  return readGroups(scopeAt < 0 ? text : text.slice(0, scopeAt), out);
}

/** The form of RFC 5952, which is what sockets show; IPv4 dotted. */
export function formatAddress(words: ArrayLike<number>): string {
  const first = words[0] ?? 0;
  const second = words[1] ?? 0;
  const third = words[2] ?? 0;
  const fourth = words[3] ?? 0;
  if (first === 0 && second === 0 && third === mappedWord) return dotted(fourth);
  const groups = [first, second, third, fourth].flatMap((word) => [word >>> 16, word & 0xffff]);
  const { at, length } = longestZeros(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, at).join(":")}::${hex.slice(at + length).join(":")}`;
}

function dotted(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`;
}

/** On the path of every datagram, so no split. */
function readDotted(text: string, out: Uint32Array): boolean {
  let word = 0;
  let octet = -1;
  let octets = 1;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === dot) {
      if (octet < 0 || octets === octetsOfAddress) return false;
      word = word * 256 + octet;
      octet = -1;
      octets++;
    } else if (character >= digitZero && character <= digitZero + 9) {
      octet = Math.max(octet, 0) * 10 + (character - digitZero);
      if (octet > 255) return false;
    } else {
      return false;
    }
  }
  if (octets !== octetsOfAddress || octet < 0) return false;
  out[0] = 0;
  out[1] = 0;
  out[2] = mappedWord;
  out[3] = word * 256 + octet;
  return true;
}

function readGroups(text: string, out: Uint32Array): boolean {
  const halves = text.split("::");
  const head = groupsOf(halves[0] ?? "");
  const tail = groupsOf(halves[1] ?? "");
  if (head === undefined || tail === undefined || halves.length > 2) return false;
  const zeros = groupsOfAddress - head.length - tail.length;
  if (halves.length === 1 ? zeros !== 0 : zeros < 1) return false;
  const groups = [...head, ...new Array<number>(zeros).fill(0), ...tail];
  for (let i = 0; i < addressWords; i++) out[i] = (groups[i * 2] ?? 0) * 0x10000 + (groups[i * 2 + 1] ?? 0);
  return true;
}

function groupsOf(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  for (const part of text.split(":")) {
    const embedded = new Uint32Array(addressWords);
    if (part.includes(".")) {
      if (!readDotted(part, embedded)) return undefined;
      groups.push((embedded[3] ?? 0) >>> 16, (embedded[3] ?? 0) & 0xffff);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

function longestZeros(groups: readonly number[]): { at: number; length: number } {
  let best = { at: 0, length: 0 };
  let at = 0;
  groups.forEach((group, i) => {
    if (group !== 0) at = i + 1;
    else if (i + 1 - at > best.length) best = { at, length: i + 1 - at };
  });
  return best;
}
