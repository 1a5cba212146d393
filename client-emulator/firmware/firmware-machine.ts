/**
 * Object 5 as the device lives it (LwM2M object 5 v1.0 and v1.1).
 *
 *   idle --URI written--> idle --download-started--> downloading --package good--> downloaded --Update--> updating
 *   idle --package written whole---------------------------------------------------> downloaded
 *   updating --success--> idle, result 1 | --failed--> downloaded, result 8 | --package unusable--> idle
 *   any but updating --empty URI or NUL package--> idle, result 0
 *   downloading | downloaded --Cancel--> idle, result 10
 */
import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import { type FirmwarePackage, type PackageVerdict, UpdateResult } from "./package-format.ts";

/** /5/0/3. */
export const FirmwareState = { idle: 0, downloading: 1, downloaded: 2, updating: 3 } as const;

export interface FirmwareStatus {
  readonly state: number;
  /** /5/0/5. */
  readonly result: number;
  /** /5/0/1. */
  readonly uri: string;
  /** The verified package while state is downloaded or updating. */
  readonly image: FirmwarePackage | undefined;
}

export type FirmwareEvent =
  /** `problem`: the result for a URI this device cannot use at all (7 or 9). */
  | { readonly kind: "uri-written"; readonly uri: string; readonly problem?: number }
  | { readonly kind: "package-written"; readonly verdict: PackageVerdict }
  /** An empty URI or a package of one NUL byte. */
  | { readonly kind: "reset" }
  | { readonly kind: "download-started" }
  | { readonly kind: "download-finished"; readonly verdict: PackageVerdict }
  | { readonly kind: "download-failed"; readonly result: number }
  | { readonly kind: "update-executed" }
  | { readonly kind: "install-finished"; readonly result: number }
  | { readonly kind: "cancel-executed" }
  | { readonly kind: "rebooted" };

export type FirmwareEffect =
  | { readonly kind: "download"; readonly uri: string }
  | { readonly kind: "abort-download" }
  | { readonly kind: "install"; readonly image: FirmwarePackage };

/** `reply` answers the request that caused the event; meaningless for events from within. */
export interface FirmwareStep {
  readonly status: FirmwareStatus;
  readonly effects: readonly FirmwareEffect[];
  readonly reply: ResponseCode;
}

export function idleFirmware(result: number = UpdateResult.initial): FirmwareStatus {
  return { state: FirmwareState.idle, result, uri: "", image: undefined };
}

export function step(status: FirmwareStatus, event: FirmwareEvent): FirmwareStep {
  switch (event.kind) {
    case "reset":
      return reset(status);
    case "uri-written":
      return uriWritten(status, event.uri, event.problem);
    case "package-written":
      return packageWritten(status, event.verdict);
    case "download-started":
      if (status.state !== FirmwareState.idle || status.uri === "") return unchanged(status);
      return to({ ...status, state: FirmwareState.downloading, result: UpdateResult.initial });
    case "download-finished":
      if (status.state !== FirmwareState.downloading) return unchanged(status);
      return to(delivered(status, event.verdict));
    case "download-failed":
      if (status.state !== FirmwareState.downloading) return unchanged(status);
      return to({ ...idleFirmware(event.result), uri: status.uri });
    case "update-executed":
      // Update is defined in Downloaded only (object 5, resource 2; LightweightM2M-1.0-int-772).
      if (status.state !== FirmwareState.downloaded || status.image === undefined) return unchanged(status, ResponseCode.methodNotAllowed);
      return to({ ...status, state: FirmwareState.updating, result: UpdateResult.initial }, [{ kind: "install", image: status.image }]);
    case "install-finished":
      return installFinished(status, event.result);
    case "cancel-executed":
      return cancelled(status);
    case "rebooted":
      // This device does not resume: a download that a reboot cut off is a lost connection (object 5 leaves it open).
      if (status.state !== FirmwareState.downloading) return unchanged(status);
      return to(idleFirmware(UpdateResult.connectionLost), [{ kind: "abort-download" }]);
  }
}

function reset(status: FirmwareStatus): FirmwareStep {
  if (status.state === FirmwareState.updating) return unchanged(status, ResponseCode.methodNotAllowed);
  return to(idleFirmware(), [{ kind: "abort-download" }]);
}

function uriWritten(status: FirmwareStatus, uri: string, problem: number | undefined): FirmwareStep {
  if (status.state === FirmwareState.updating) return unchanged(status, ResponseCode.methodNotAllowed);
  if (status.state !== FirmwareState.idle) return unchanged(status, ResponseCode.badRequest);
  // What is wrong with a URI is visible through the result only (LightweightM2M-1.0-int-778 expects 2.04).
  if (problem !== undefined) return to({ ...idleFirmware(problem), uri });
  return to({ ...idleFirmware(), uri }, [{ kind: "abort-download" }, { kind: "download", uri }]);
}

function packageWritten(status: FirmwareStatus, verdict: PackageVerdict): FirmwareStep {
  if (status.state === FirmwareState.updating) return unchanged(status, ResponseCode.methodNotAllowed);
  if (status.state !== FirmwareState.idle) return unchanged(status, ResponseCode.badRequest);
  const next = to({ ...delivered(status, verdict), uri: "" }, [{ kind: "abort-download" }]);
  // The blocks that do not fit cannot be acknowledged as stored; every other fault shows in the result alone.
  if (!verdict.ok && verdict.result === UpdateResult.notEnoughFlash) return { ...next, reply: ResponseCode.requestEntityTooLarge };
  return next;
}

function delivered(status: FirmwareStatus, verdict: PackageVerdict): FirmwareStatus {
  if (!verdict.ok) return { ...idleFirmware(verdict.result), uri: status.uri };
  return { ...status, state: FirmwareState.downloaded, result: UpdateResult.initial, image: verdict.package };
}

function installFinished(status: FirmwareStatus, result: number): FirmwareStep {
  if (status.state !== FirmwareState.updating) return unchanged(status);
  // The package stays usable after a failed update unless the package itself is at fault (object 5 v1.1, resource 3).
  if (result === UpdateResult.updateFailed) return to({ ...status, state: FirmwareState.downloaded, result });
  return to({ ...idleFirmware(result), image: result === UpdateResult.success ? status.image : undefined });
}

function cancelled(status: FirmwareStatus): FirmwareStep {
  if (status.state !== FirmwareState.downloading && status.state !== FirmwareState.downloaded) {
    return unchanged(status, ResponseCode.methodNotAllowed);
  }
  return to(idleFirmware(UpdateResult.cancelled), [{ kind: "abort-download" }]);
}

function to(status: FirmwareStatus, effects: readonly FirmwareEffect[] = []): FirmwareStep {
  return { status, effects, reply: ResponseCode.changed };
}

function unchanged(status: FirmwareStatus, reply: ResponseCode = ResponseCode.changed): FirmwareStep {
  return { status, effects: [], reply };
}
