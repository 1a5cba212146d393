/** The keys of connections in the form Wireshark reads, one line each, appended to a file only its owner can read. */
import { type FileHandle, open } from "node:fs/promises";

export interface KeyLogFile {
  write(line: string): void;
  close(): Promise<void>;
}

const ownerOnly = 0o600;

/** Rejects when the file cannot be written. */
export async function openKeyLogFile(path: string, onError: (error: unknown) => void): Promise<KeyLogFile> {
  const file: FileHandle = await open(path, "a", ownerOnly);
  let last: Promise<void> = Promise.resolve();
  return {
    write(line) {
      last = last.then(() => file.appendFile(line.endsWith("\n") ? line : `${line}\n`)).catch(onError);
    },
    async close() {
      await last;
      await file.close();
    },
  };
}
