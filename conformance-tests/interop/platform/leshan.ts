/** Leshan clients and the Leshan server as processes (`interop/peers`). */
import { Child } from "./child.ts";
import { patienceMs } from "./deadline.ts";
import { type LeshanName, leshanClassPath } from "./locations.ts";
import { field, type Json } from "./rest-client.ts";

/** The Java programs start in about a second with only the first compiler tier, and log nothing but trouble. */
const startMs = 60_000;
const javaOptions = ["-XX:TieredStopAtLevel=1", "-Xmx96m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"];

function startJava(name: LeshanName, args: readonly string[]): Child {
  return new Child(name, "java", [...javaOptions, "-cp", leshanClassPath(name), "Main", ...args]);
}

export interface LeshanClientOptions {
  /** Where to register; or `bootstrap`, where to ask for that. */
  readonly server?: string;
  readonly bootstrap?: string;
  readonly endpoint: string;
  readonly lifetimeSeconds?: number;
  readonly queue?: boolean;
  /** More arguments: keys, DTLS (`Account.java` and `Transport.java` of the peer). */
  readonly more?: readonly string[];
}

export function startLeshanClient(name: "leshan-1" | "leshan-2", options: LeshanClientOptions): Child {
  const args = ["--endpoint", options.endpoint];
  if (options.server !== undefined) args.push("--server", options.server);
  if (options.bootstrap !== undefined) args.push("--bootstrap", options.bootstrap);
  if (options.lifetimeSeconds !== undefined) args.push("--lifetime", String(options.lifetimeSeconds));
  if (options.queue) args.push("--queue");
  args.push(...(options.more ?? []));
  return startJava(name, args);
}

export interface EventOptions {
  /** More that has to be true of it. */
  readonly where?: (entry: Json) => boolean;
  readonly path?: string;
  readonly timeoutMs?: number;
  readonly from?: number;
  readonly nth?: number;
}

/** Takes commands, answers with one result line each (`peers/leshan-server/Commands.java`). */
export class LeshanServer {
  readonly child: Child;
  readonly port: number;
  /** Of CoAP over DTLS. */
  readonly securedPort: number;

  constructor(child: Child, port: number, securedPort: number) {
    this.child = child;
    this.port = port;
    this.securedPort = securedPort;
  }

  /** `keys`: who may come over DTLS (`Keys.java`). */
  static async start(keys: readonly string[] = []): Promise<LeshanServer> {
    const child = startJava("leshan-server", ["--port", "0", ...keys]);
    const listening = await child.line(
      "listening line",
      (line) => {
        const entry = parseLine(line);
        return field(entry, "event") === "listening" ? entry : undefined;
      },
      startMs,
    );
    return new LeshanServer(child, Number(field(listening, "port")), Number(field(listening, "securedPort")));
  }

  /** Runs a command and gives its result line. */
  async run(command: string, timeoutMs = patienceMs): Promise<Json> {
    const from = this.child.mark;
    this.child.write(command);
    return this.child.line(
      `result of "${command}"`,
      (line) => {
        const entry = parseLine(line);
        return field(entry, "event") === "result" && field(entry, "command") === command ? entry : undefined;
      },
      timeoutMs,
      from,
    );
  }

  /** The first (or nth) line with this event, and path when given, from `from` on. */
  event(name: string, options: EventOptions = {}): Promise<Json> {
    let left = options.nth ?? 1;
    return this.child.line(
      `${name} event ${options.path ?? ""}`,
      (line) => {
        const entry = parseLine(line);
        const fits = field(entry, "event") === name && (options.path === undefined || field(entry, "path") === options.path);
        const isMeant = fits && entry !== undefined && (options.where?.(entry) ?? true);
        return isMeant && --left === 0 ? entry : undefined;
      },
      options.timeoutMs ?? patienceMs,
      options.from ?? 0,
    );
  }
}

function parseLine(line: string): Json {
  try {
    return JSON.parse(line) as Json;
  } catch {
    return null;
  }
}
