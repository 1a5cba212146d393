/**
 * A look at the write-ahead log before SQLite reads it (sqlite.org/fileformat2.html §4). SQLite takes the log up to the first frame whose
 * checksum is wrong and drops the rest without a word: right for a write that a power cut tore, which is the last one, silent loss when the
 * disk has damaged a frame before others. A transaction is written only when the one before is on the disk, so a valid frame behind the end
 * of a torn transaction says that this was no torn write.
 */
import { closeSync, copyFileSync, existsSync, openSync, readSync, rmSync } from "node:fs";
import { basename } from "node:path";

const headerBytes = 32;
const frameHeaderBytes = 24;
/** Its lowest bit says that checksums are of big-endian words. */
const magic = 0x377f0682;

type Sums = readonly [number, number];

/** The log as it was found damaged; as long as it lies there, nobody goes on without knowing. */
const keptSuffix = "-wal.damaged";

/**
 * Before the database is opened. `readWithLock` runs what takes the lock and reads the log, and throws when that lost something; a damaged log
 * is kept aside before, since SQLite ends it. What looks damaged while another server writes is no damage: then there is no lock.
 */
export function inspectLog(database: string): { readWithLock(read: () => void): void } {
  const kept = `${database}${keptSuffix}`;
  const fault = (what: string): Error =>
    new Error(`its log ${basename(database)}-wal is damaged: ${what}; restore a backup, or remove ${basename(kept)} to go on without them`);
  if (existsSync(kept)) throw fault("acknowledged writes behind the damage are lost");
  const lost = countLostTransactions(`${database}-wal`);
  return {
    readWithLock(read) {
      if (lost === 0) return read();
      copyFileSync(`${database}-wal`, kept);
      try {
        read();
      } catch (error) {
        rmSync(kept);
        throw error;
      }
      throw fault(`${lost} acknowledged writes are lost`);
    },
  };
}

/** Transactions that opening the file would drop, though they were complete; 0 for a sound log, one that ends in a torn write, and none at all. */
export function countLostTransactions(file: string): number {
  const log = openLog(file);
  if (log === undefined) return 0;
  try {
    return lostIn(log);
  } finally {
    closeSync(log);
  }
}

function openLog(file: string): number | undefined {
  try {
    return openSync(file, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function lostIn(log: number): number {
  const header = Buffer.alloc(headerBytes);
  if (readSync(log, header, 0, headerBytes, 0) < headerBytes || (header.readUInt32BE(0) & ~1) !== magic) return 0;
  const isBigEndian = (header.readUInt32BE(0) & 1) === 1;
  let sums = checksum(header.subarray(0, 24), [0, 0], isBigEndian);
  // A new log begins with its header: torn, nothing was acknowledged from it.
  if (sums[0] !== header.readUInt32BE(24) || sums[1] !== header.readUInt32BE(28)) return 0;
  const frame = Buffer.alloc(frameHeaderBytes + header.readUInt32BE(8));
  let isBroken = false;
  let lost = 0;
  // The damaged transaction may be the torn one: what follows its end is not.
  let damagedEnded = false;
  for (let at = headerBytes; readSync(log, frame, 0, frame.length, at) === frame.length; at += frame.length) {
    const isOfThisLog = frame.compare(header, 16, 24, 8, 16) === 0;
    const computed = checksum(frame.subarray(frameHeaderBytes), checksum(frame.subarray(0, 8), sums, isBigEndian), isBigEndian);
    const isValid = isOfThisLog && computed[0] === frame.readUInt32BE(16) && computed[1] === frame.readUInt32BE(20);
    const isEnd = frame.readUInt32BE(4) !== 0;
    if (!isValid && !isBroken) {
      // Older frames lie behind the end of a log that was begun anew.
      if (!isOfThisLog && frame.readUInt32BE(8) !== 0 && !hasFrameOf(log, header, at, frame.length)) return 0;
      isBroken = true;
    }
    if (isBroken && damagedEnded && isValid && isEnd) lost++;
    if (isBroken && isEnd && isOfThisLog) damagedEnded = true;
    // Each frame goes on from the sums that stand in the one before, so what follows damage can be judged by itself.
    sums = [frame.readUInt32BE(16), frame.readUInt32BE(20)];
  }
  // The damaged one itself was complete too, since others were begun.
  return lost > 0 ? lost + 1 : 0;
}

/** Whether a frame of this log comes right behind one that is not. */
function hasFrameOf(log: number, header: Buffer, at: number, frameLength: number): boolean {
  const next = Buffer.alloc(frameHeaderBytes);
  return readSync(log, next, 0, next.length, at + frameLength) === next.length && next.compare(header, 16, 24, 8, 16) === 0;
}

/** §4.2; 32-bit words in pairs. */
function checksum(bytes: Buffer, from: Sums, isBigEndian: boolean): Sums {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let [first, second] = from;
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    first = (first + words.getUint32(at, !isBigEndian) + second) >>> 0;
    second = (second + words.getUint32(at + 4, !isBigEndian) + first) >>> 0;
  }
  return [first, second];
}
