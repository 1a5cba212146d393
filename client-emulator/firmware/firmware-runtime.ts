/** Runs the firmware machine: downloads, installs, and announces what changed to the tree. */
import type { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import { type FirmwareDoor, FirmwareResource, firmwareObjectId } from "../objects/firmware-object.ts";
import type { ObjectTree } from "../tree/object-tree.ts";
import { type FirmwareEffect, type FirmwareEvent, type FirmwareStatus, idleFirmware, step } from "./firmware-machine.ts";
import { type FirmwarePackage, inspectPackage, UpdateResult } from "./package-format.ts";

export type FetchOutcome = { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly result: number };

export interface FirmwareSettings {
  /** Largest package the device can hold. */
  readonly flashBytes: number;
  /** Ends every update with this result instead of installing. */
  readonly failUpdate: number | undefined;
  /** Ends every download with this result. */
  readonly failDownload: number | undefined;
}

export interface FirmwareEnvironment {
  readonly tree: ObjectTree;
  readonly clock: Clock;
  readonly settings: FirmwareSettings;
  fetchPackage(uri: string, signal: AbortSignal): Promise<FetchOutcome>;
  /** Power off, `meanwhile`, power on. */
  reboot(meanwhile: () => void): void;
  installed(image: FirmwarePackage): void;
  log(message: string): void;
}

/** How long the device shows State 3 before it goes silent, so that the server can see it. */
const updatingMs = 1_000;

export class FirmwareRuntime implements FirmwareDoor {
  readonly #environment: FirmwareEnvironment;
  #status: FirmwareStatus;
  #download: AbortController | undefined;
  #timer: Timer | undefined;

  constructor(environment: FirmwareEnvironment, installed: FirmwarePackage | undefined) {
    this.#environment = environment;
    this.#status = installed === undefined ? idleFirmware() : { ...idleFirmware(UpdateResult.success), image: installed };
  }

  /** A device at work on a package neither sleeps nor starts another. */
  get busy(): boolean {
    return this.#download !== undefined || this.#timer !== undefined;
  }

  readonly status = (): FirmwareStatus => this.#status;

  writePackage(bytes: Uint8Array): ResponseCode {
    const isReset = bytes.length === 0 || (bytes.length === 1 && bytes[0] === 0);
    if (isReset) return this.#dispatch({ kind: "reset" });
    return this.#dispatch({ kind: "package-written", verdict: this.#inspect(bytes) });
  }

  writeUri(uri: string): ResponseCode {
    if (uri === "") return this.#dispatch({ kind: "reset" });
    const problem = uriProblem(uri);
    return this.#dispatch({ kind: "uri-written", uri, ...(problem === undefined ? {} : { problem }) });
  }

  executeUpdate(): ResponseCode {
    return this.#dispatch({ kind: "update-executed" });
  }

  executeCancel(): ResponseCode {
    return this.#dispatch({ kind: "cancel-executed" });
  }

  rebooted(): void {
    this.#dispatch({ kind: "rebooted" });
  }

  close(): void {
    this.#download?.abort();
    this.#timer?.cancel();
  }

  #dispatch(event: FirmwareEvent): ResponseCode {
    const before = this.#status;
    const { status, effects, reply } = step(before, event);
    this.#status = status;
    for (const effect of effects) this.#run(effect);
    if (before !== status) this.#announce(before, status);
    return reply;
  }

  #announce(before: FirmwareStatus, after: FirmwareStatus): void {
    const changed: number[] = [];
    if (before.uri !== after.uri) changed.push(FirmwareResource.packageUri);
    if (before.state !== after.state) changed.push(FirmwareResource.state);
    if (before.result !== after.result) changed.push(FirmwareResource.result);
    if (before.image !== after.image) changed.push(FirmwareResource.packageName, FirmwareResource.packageVersion);
    if (before.state !== after.state || before.result !== after.result) {
      this.#environment.log(`firmware state ${after.state}, result ${after.result}`);
    }
    const paths = changed.map((resourceId) => ({ objectId: firmwareObjectId, instanceId: 0, resourceId }));
    if (paths.length > 0) this.#environment.tree.announce({ paths, structure: false });
  }

  #run(effect: FirmwareEffect): void {
    switch (effect.kind) {
      case "abort-download":
        this.#download?.abort();
        this.#download = undefined;
        return;
      case "download":
        this.#startDownload(effect.uri);
        return;
      case "install":
        // The reply to Execute leaves first, and a server that observes State sees 3 before the silence.
        this.#timer = this.#environment.clock.after(updatingMs, () => this.#install(effect.image));
        return;
    }
  }

  #startDownload(uri: string): void {
    const download = new AbortController();
    this.#download = download;
    // "At the next practical opportunity": once the Write has its answer.
    this.#environment.clock.after(0, () => {
      if (download.signal.aborted) return;
      this.#environment.log(`downloading ${uri}`);
      this.#dispatch({ kind: "download-started" });
      void this.#environment.fetchPackage(uri, download.signal).then((outcome) => {
        if (download.signal.aborted) return;
        this.#download = undefined;
        this.#finishDownload(outcome);
      });
    });
  }

  #finishDownload(outcome: FetchOutcome): void {
    const { failDownload } = this.#environment.settings;
    if (failDownload !== undefined) this.#dispatch({ kind: "download-failed", result: failDownload });
    else if (!outcome.ok) this.#dispatch({ kind: "download-failed", result: outcome.result });
    else {
      this.#environment.log(`downloaded ${outcome.bytes.length} bytes`);
      this.#dispatch({ kind: "download-finished", verdict: this.#inspect(outcome.bytes) });
    }
  }

  #install(image: FirmwarePackage): void {
    this.#timer = undefined;
    const { failUpdate } = this.#environment.settings;
    this.#environment.reboot(() => {
      if (failUpdate === undefined) this.#environment.installed(image);
      this.#dispatch({ kind: "install-finished", result: failUpdate ?? UpdateResult.success });
    });
  }

  #inspect(bytes: Uint8Array) {
    return inspectPackage(bytes, this.#environment.settings.flashBytes);
  }
}

/** The result for a URI this device cannot even begin with (object 5, resource 5: 7 and 9). */
function uriProblem(uri: string): number | undefined {
  const parsed = URL.canParse(uri) ? new URL(uri) : undefined;
  if (parsed === undefined || parsed.hostname === "") return UpdateResult.invalidUri;
  return parsed.protocol === "coap:" || parsed.protocol === "coaps:" ? undefined : UpdateResult.unsupportedProtocol;
}
