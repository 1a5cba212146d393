/** A device with the Firmware Update object: takes the Package URI, pulls the package block by block, installs it, restarts and registers anew. */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { IncomingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";
import type { Timer } from "@lwm2m/protocol/ports/clock";
import { bytes, content, type DeviceLink, type DeviceScript, ScriptedDevice } from "./scripted-device.ts";
import type { ServerWorld } from "./server-world.ts";

/** What the device does with what it gets; a test may change it at any time. */
export interface FirmwareBehaviour {
  /** /5/0/8; null: not shown. */
  protocols: readonly number[] | null;
  /** /5/0/9 */
  delivery: number;
  /** The Result of each download in turn; 0 is a good one, and so is what is not named. */
  downloadResults: number[];
  /** False: takes the URI and forgets it. */
  fetches: boolean;
  /** The Result of the installation. */
  installResult: number;
  /** What it runs after a successful installation. */
  newVersion: string;
  /** Milliseconds from the Execute to the new registration. */
  bootMs: number;
  /** False: never comes back. */
  comesBack: boolean;
}

const links = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</5/0>';
const changed = { code: ResponseCode.changed };

export class FirmwareDevice {
  readonly device: ScriptedDevice;
  readonly behaviour: FirmwareBehaviour;
  state = 0;
  result = 0;
  version = "1.0";
  /** Package URIs in the order they were written; "" is a reset. */
  readonly offers: string[] = [];
  /** When an Execute of Update arrived, whatever was answered. */
  readonly executes: number[] = [];
  /** The package fetched last. */
  image: Uint8Array | undefined;
  readonly #world: ServerWorld;
  #download: AbortController | undefined;
  readonly #timers = new Set<Timer>();
  #closed = false;

  constructor(world: ServerWorld, behaviour: Partial<FirmwareBehaviour> = {}, script: DeviceScript = {}, link?: DeviceLink) {
    this.#world = world;
    this.device = new ScriptedDevice(world, { links, query: ["lt=604800", "lwm2m=1.1", "b=U"], ...script }, link);
    this.behaviour = {
      protocols: null,
      delivery: 2,
      downloadResults: [],
      fetches: true,
      installResult: 1,
      newVersion: "2.0",
      bootMs: 10_000,
      comesBack: true,
      ...behaviour,
    };
    this.device.answers.set("GET /3/0/3", () => content(JSON.stringify([{ n: "/3/0/3", vs: this.version }])));
    this.device.answers.set("GET /5/0", () => content(this.#instance()));
    this.device.answers.set("PUT /5/0/1", (request) => this.#takeUri(request));
    this.device.answers.set("POST /5/0/2", () => this.#execute());
  }

  /** Stops fetching and says nothing about it. */
  stall(): void {
    this.#download?.abort();
  }

  /** A reset out of the blue: a download under way is lost. */
  async reboot(result: number): Promise<void> {
    this.#stop();
    if (this.state === 1) this.state = 0;
    this.result = result;
    await this.device.restart();
    await this.#register();
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    return this.device.close();
  }

  #instance(): string {
    const { protocols, delivery } = this.behaviour;
    return JSON.stringify([
      { bn: "/5/0/", n: "3", v: this.state },
      { n: "5", v: this.result },
      ...(protocols ?? []).map((protocol, index) => ({ n: `8/${index}`, v: protocol })),
      { n: "9", v: delivery },
    ]);
  }

  #takeUri(request: IncomingRequest): OutgoingResponse {
    const uri = uriIn(request.payload);
    this.offers.push(uri);
    if (this.state === 3) return { code: ResponseCode.methodNotAllowed };
    if (uri === "") {
      this.#stop();
      this.state = 0;
      this.result = 0;
      return changed;
    }
    if (this.state !== 0) return { code: ResponseCode.badRequest, payload: bytes("a package is here already") };
    this.result = 0;
    if (this.behaviour.fetches) this.#later(100, () => this.#fetch(uri));
    return changed;
  }

  async #fetch(uri: string): Promise<void> {
    if (this.state !== 0) return;
    this.state = 1;
    const download = new AbortController();
    this.#download = download;
    const path = new URL(uri).pathname.slice(1).split("/");
    const outcome = await this.device.request({ method: Method.get, path }, { signal: download.signal });
    if (download.signal.aborted) return;
    const isWhole = outcome.ok && outcome.response.code === ResponseCode.content;
    const result = isWhole ? (this.behaviour.downloadResults.shift() ?? 0) : outcome.ok ? 7 : 4;
    if (isWhole) this.image = outcome.response.payload;
    this.state = result === 0 ? 2 : 0;
    this.result = result;
  }

  #execute(): OutgoingResponse {
    this.executes.push(this.#world.clock.now());
    if (this.state !== 2) return { code: ResponseCode.methodNotAllowed };
    this.state = 3;
    this.result = 0;
    this.#later(this.behaviour.bootMs, () => this.#install());
    return changed;
  }

  async #install(): Promise<void> {
    const { installResult, newVersion, comesBack } = this.behaviour;
    this.state = installResult === 8 ? 2 : 0;
    this.result = installResult;
    if (installResult === 1) this.version = newVersion;
    await this.device.restart();
    if (comesBack) await this.#register();
    else await this.device.close();
  }

  /** Until somebody hears it. */
  async #register(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.device.beginRegister();
        return;
      } catch {
        // The server is down, or the link: a device goes on trying (LwM2M Core 1.1 §6.2.1.1).
      }
    }
  }

  #stop(): void {
    this.#download?.abort();
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #later(delayMs: number, work: () => Promise<void>): void {
    const timer = this.#world.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      work().catch((error) => this.#world.report(`firmware device: ${error}`));
    });
    this.#timers.add(timer);
  }
}

function uriIn(payload: Uint8Array): string {
  const [record]: readonly { readonly vs?: string }[] = JSON.parse(new TextDecoder().decode(payload));
  return record?.vs ?? "";
}
