/**
 * How `npm run store` reaches the server that holds the data directory: a socket in that directory, for its owner alone. One line in
 * (`copy FILE`), one line out (`ok`, or what went wrong).
 */
import { chmod, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";

export interface ControlSocket {
  close(): Promise<void>;
}

const longestLine = 4_096;
/** Nobody needs longer to write one line. */
const lineTimeoutMs = 5_000;

export const controlPath = (dataDir: string): string => join(dataDir, "control");

/** Rejects where the path is too long for a socket (about 100 characters) or the file system has none. */
export async function openControlSocket(dataDir: string, copyTo: (file: string) => Promise<void>): Promise<ControlSocket> {
  const path = controlPath(dataDir);
  // Left by a server that was killed: this one holds the lock of the directory.
  await rm(path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // Whoever asked went away.
    socket.on("error", () => {});
    void readLine(socket).then(
      async (line) => {
        socket.setTimeout(0);
        socket.end(`${await answer(line, copyTo)}\n`);
      },
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function answer(line: string, copyTo: (file: string) => Promise<void>): Promise<string> {
  const file = /^copy (\/.+)$/.exec(line)?.[1];
  if (file === undefined) return "this server does not know that command";
  try {
    await copyTo(file);
    return "ok";
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ");
  }
}

/** Asks the running server to copy its database; rejects with what it says. */
export async function askForCopy(dataDir: string, file: string): Promise<void> {
  const socket = connect(controlPath(dataDir));
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    socket.write(`copy ${file}\n`);
    const said = await readLine(socket, 0);
    if (said !== "ok") throw new Error(said);
  } finally {
    socket.destroy();
  }
}

/** `timeoutMs` 0: as long as it takes. */
function readLine(socket: Socket, timeoutMs: number = lineTimeoutMs): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.setTimeout(timeoutMs, () => reject(new Error("no line came")));
    socket.on("data", (chunk) => {
      text += String(chunk);
      const end = text.indexOf("\n");
      if (end >= 0) resolve(text.slice(0, end));
      else if (text.length > longestLine) reject(new Error("the line is too long"));
    });
    socket.once("close", () => reject(new Error("the server went away")));
    socket.once("error", reject);
  });
}
