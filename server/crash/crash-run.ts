/** Rounds of: load on a real server, kill -9 at a random moment, a look at what is on disk, the next start. Devices and programs live through all of it. */
import { openCoapEndpoint } from "@lwm2m/protocol/coap/endpoint";
import { systemClock } from "@lwm2m/protocol/platform/system-clock";
import { systemRandom } from "@lwm2m/protocol/platform/system-random";
import { openUdpSocket } from "@lwm2m/protocol/platform/udp-socket";
import { type SeededRandom, seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { checkStore } from "./crash-check.ts";
import { CrashDevice } from "./crash-device.ts";
import { CrashProgram } from "./crash-program.ts";
import { type CrashStore, embeddedCrashStore } from "./crash-store.ts";
import { CrashTally } from "./crash-tally.ts";
import { describeCounts, Ledger } from "./ledger.ts";
import { apiKey, ServerProcess, serverProgram } from "./platform/server-process.ts";

export interface CrashRunSettings {
  readonly directory: string;
  /** Default: the embedded store in the directory. */
  readonly store?: CrashStore;
  readonly rounds: number;
  /** Of the moments of death and the order of the load; what the machine makes of it differs from run to run. */
  readonly seed: number;
  readonly devices: number;
  readonly programs: number;
  /** How much longer than usual the server lives in a round: on slow engines it needs longer to get something done. Default 1. */
  readonly lifeFactor?: number;
  /** After the last death the server lives, without other load, until the firmware updates have ended, this long at most; default: shortly. */
  readonly lastLifeMs?: number;
  readonly onRound: (line: string) => void;
  /** Of the first round, for the lines. Default 1. */
  readonly firstRound?: number;
  readonly tally?: CrashTally;
}

/** The server lives this long under load in one round, milliseconds. */
const shortestLifeMs = 200;
const lifeSpreadMs = 1_500;
/** The last life goes on until something of every kind was acknowledged, this long at most. */
const mostLifeMs = 300_000;
/** An engine that was killed is away this long at most. */
const awaySpreadMs = 600;
/** One device in so many waits for an answer over the death of the server. */
const patienceStride = 3;

/** What is wrong, one line each; nothing when all that was acknowledged is there. */
export async function crashRun(settings: CrashRunSettings): Promise<readonly string[]> {
  const random = seededRandom(settings.seed);
  // Of its own: how often the load asks for a number depends on the machine.
  const deaths = seededRandom(settings.seed);
  const ledger = new Ledger();
  const { tally = new CrashTally(), firstRound = 1 } = settings;
  const store = settings.store ?? embeddedCrashStore(settings.directory);
  const server = new ServerProcess(settings.directory, serverProgram, store.settings);
  await server.start();
  const load = await startLoad(settings, server, ledger, random);
  const startAgain = async (): Promise<void> => {
    await server.start();
    load.noteRestart();
  };
  try {
    for (let round = 0; round < settings.rounds; round++) {
      if (round > 0) await startAgain();
      const killed = await oneDeath(store, server, { random: deaths, factor: settings.lifeFactor ?? 1, tally });
      ledger.life++;
      const wrong = [...(await checkStore(store, ledger)), ...ledger.violations];
      settings.onRound(`round ${firstRound + round}: ${killed}; acknowledged so far: ${describeCounts(ledger.counts())}`);
      if (wrong.length > 0) return wrong;
    }
    // Alive once more, then an orderly end: what was left halfway is brought to its one end.
    await startAgain();
    await pause(lifeSpreadMs);
    // On a busy machine the lives before were too short for that.
    for (let waitedMs = 0; waitedMs < mostLifeMs && !ledger.hasEveryKind(); waitedMs += shortestLifeMs) await pause(shortestLifeMs);
    load.calm();
    for (let waitedMs = 0; waitedMs < (settings.lastLifeMs ?? 0) && ledger.firmwareUnderWay() > 0; waitedMs += lifeSpreadMs) {
      await pause(lifeSpreadMs);
    }
    settings.onRound(`after a last life: ${describeCounts(ledger.counts())}`);
    await load.stop();
    await server.stop();
    return [...(await checkStore(store, ledger)), ...ledger.violations];
  } finally {
    await server.kill();
    await load.stop();
    tally.add(ledger.counts());
  }
}

interface Fate {
  readonly random: SeededRandom;
  readonly factor: number;
  readonly tally: CrashTally;
}

/** The server dies at a random moment; before it, in two rounds of three where there are engines, one of them does. Engines are up again at the end. */
async function oneDeath({ engines }: CrashStore, server: ServerProcess, { random, factor, tally }: Fate): Promise<string> {
  const lifeMs = () => (shortestLifeMs + random.integer(lifeSpreadMs)) * factor;
  const firstMs = lifeMs();
  await pause(firstMs);
  const engine = engines[random.integer(engines.length + 1)];
  tally.noteKill("the server");
  if (engine === undefined) {
    await server.kill();
    return `server killed after ${firstMs} ms`;
  }
  await engine.kill();
  tally.noteKill(engine.name);
  const awayMs = random.integer(awaySpreadMs);
  await pause(awayMs);
  // Now and then the server dies while the engine is away.
  const diesFirst = random.integer(2) === 0;
  if (diesFirst) await server.kill();
  await engine.start();
  const restMs = diesFirst ? 0 : lifeMs();
  await pause(restMs);
  await server.kill();
  return `${engine.name} killed after ${firstMs} ms for ${awayMs} ms, the server ${diesFirst ? "meanwhile" : `${restMs} ms later`}`;
}

/** Devices and programs at work until `stop`; after `calm` nothing is begun any more. */
export async function startLoad(
  { devices: count, programs }: Pick<CrashRunSettings, "devices" | "programs">,
  server: ServerProcess,
  ledger: Ledger,
  random: SeededRandom,
) {
  let isOver = false;
  let isCalm = false;
  const devices: CrashDevice[] = [];
  for (let n = 0; n < count; n++) {
    const coap = openCoapEndpoint({
      socket: await openUdpSocket({ address: "127.0.0.1", port: 0 }),
      clock: systemClock,
      random: systemRandom,
    });
    const isPatient = n % patienceStride === 0;
    devices.push(
      new CrashDevice({
        endpoint: `crash-${n}`,
        coap,
        serverPort: server.coapPort,
        clock: systemClock,
        ledger,
        random,
        isPatient,
        isCalm: () => isCalm,
      }),
    );
  }
  const lanes = Array.from({ length: programs }, (_, n) =>
    new CrashProgram({
      name: `p${n}`,
      origin: server.origin,
      key: apiKey,
      devices,
      ledger,
      clock: systemClock,
      random,
      mayBegin: () => !isCalm,
    }).run(() => isOver),
  );
  const runs = [...devices.map((device) => device.run(() => isOver)), ...lanes];
  return {
    noteRestart: () => {
      for (const device of devices) device.noteRestart();
    },
    calm: () => {
      isCalm = true;
    },
    stop: async () => {
      isOver = true;
      // What is still unanswered is cut off with its socket.
      await Promise.all(devices.map((device) => device.close()));
      await Promise.all(runs);
    },
  };
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => void systemClock.after(delayMs, resolve));
}
