/** What happens at the bootstrap door, as events for integrators and lines for the log. */
import type { SessionNotice } from "@lwm2m/bootstrap/bootstrap-service";
import type { EventDraft } from "../events/event.ts";

/** Undefined for what is only of interest in a log: refused strangers must not fill the event log. */
export function bootstrapEvent(notice: SessionNotice): EventDraft | undefined {
  const { at, address } = notice;
  switch (notice.kind) {
    case "refused":
    case "answered":
      return undefined;
    case "started":
      return draft(notice.endpointName, at, "started", { address, contentFormat: notice.contentFormat, steps: notice.steps });
    case "finished":
      return draft(notice.endpointName, at, "finished", { address, refusedWrites: notice.refused, durationMs: notice.durationMs });
    case "failed":
      return draft(notice.endpointName, at, "failed", {
        address,
        reason: notice.reason,
        detail: notice.detail,
        durationMs: notice.durationMs,
      });
  }
}

/** One session of a device starts and ends once in a millisecond. */
function draft(endpointName: string, at: number, what: "started" | "finished" | "failed", data: EventDraft["data"]): EventDraft {
  return { key: `bootstrap/${endpointName}/${at}/${what}`, type: `bootstrap.${what}`, subject: endpointName, timeMs: at, data };
}
