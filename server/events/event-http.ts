/** The event feed: a JSON list, or server-sent events that resume where the client stopped (WHATWG HTML §9.2). */
import { formatInstant } from "@lwm2m/protocol/platform/instant";
import type { Clock } from "@lwm2m/protocol/ports/clock";
import { preferredMediaType } from "../http/accept.ts";
import { limitParameter, pageOf, pageSchemaOf } from "../http/page.ts";
import type { Reply, Route, RouteRequest } from "../http/route.ts";
import { type EventFeed, type EventType, eventTypes, type LoggedEvent } from "./event.ts";
import { type EventFilter, findLost, followEvents, type LostEvents } from "./event-follower.ts";

export interface EventDoorSettings {
  readonly log: EventFeed;
  readonly clock: Clock;
  /** Streams open at one time; more are answered 503. */
  readonly maxStreams: number;
}

const eventStream = "text/event-stream";
/** A comment this often keeps proxies from closing a silent stream; most allow 30 s or more. */
const keepAliveMs = 15_000;
/** Milliseconds a client waits before it connects again. */
const reconnectMs = 3_000;
const idDigits = 16;

export function eventRoutes(settings: EventDoorSettings): readonly Route[] {
  let openStreams = 0;
  const streamReply = async (request: RouteRequest, filter: EventFilter): Promise<Reply> => {
    if (openStreams >= settings.maxStreams) {
      return { problem: { type: "unavailable", detail: `${openStreams} event streams are open, the most allowed`, retryAfterSeconds: 30 } };
    }
    const from = request.headers["last-event-id"] ?? request.query["after"];
    const after = from === undefined ? settings.log.lastId() : idOf(String(from));
    if (after === undefined)
      return {
        problem: {
          type: "bad-request",
          detail: "Last-Event-ID is no id of this feed: expected up to 16 decimal digits, such as 0000000000000007",
        },
      };
    const goneReply = await findGone(settings.log, after);
    if (goneReply !== undefined) return goneReply;
    const stream = serverSentEvents(settings, { after, filter, signal: request.signal }, (change) => {
      openStreams += change;
    });
    return { status: 200, headers: { "Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no" }, stream };
  };
  return [
    {
      method: "GET",
      path: "/events",
      name: "listEvents",
      summary:
        "What happened, as CloudEvents 1.0, oldest first. With Accept: text/event-stream a live stream, from now on or from Last-Event-ID (or `after`) without a gap. 410 when events behind that id are no longer kept, or when it is ahead of the feed (an older copy of the store); a stream that falls that far behind is told so by an event `feed.lost`",
      query: {
        after: { type: "string", pattern: "^[0-9]{0,16}$", description: "only events behind this id; empty: from the beginning" },
        limit: limitParameter,
        types: { type: "string", minLength: 1, description: `event types, separated by commas, of ${eventTypes.join(", ")}` },
        subject: { type: "string", minLength: 1, description: "an endpoint name, or the id of what changed" },
      },
      replies: {
        200: {
          description: "Events",
          schema: pageSchemaOf(eventSchema),
          streams: { [eventStream]: "server-sent events: id, event (the type), data" },
        },
      },
      async handle(request) {
        const filter = filterOf(request);
        if ("problem" in filter) return filter;
        if (preferredMediaType(request.headers["accept"], ["application/json", eventStream]) === eventStream)
          return streamReply(request, filter);
        const after = idOf(String(request.query["after"] ?? "")) ?? "";
        const goneReply = await findGone(settings.log, after);
        if (goneReply !== undefined) return goneReply;
        const limit = Number(request.query["limit"]);
        const events = await settings.log.read({ after, limit, ...filter });
        return pageOf(events, limit, cloudEvent, ({ _id }) => _id);
      },
    },
  ];
}

export function cloudEvent(event: LoggedEvent) {
  return {
    specversion: "1.0",
    id: event._id,
    source: "urn:lwm2m:server",
    type: event.type,
    subject: event.subject,
    time: formatInstant(event.timeMs),
    datacontenttype: "application/json",
    data: event.data,
  };
}

async function* serverSentEvents(
  { log, clock }: EventDoorSettings,
  { after, filter, signal }: { readonly after: string; readonly filter: EventFilter; readonly signal: AbortSignal },
  count: (change: 1 | -1) => void,
): AsyncGenerator<string> {
  // Counted from the first read on: a stream that is never read is never ended either.
  count(1);
  try {
    yield `retry: ${reconnectMs}\n\n`;
    for await (const events of followEvents(log, clock, { after, filter, signal, idleMs: keepAliveMs })) {
      if ("before" in events) yield lostEvent(events);
      else yield events.length === 0 ? ": keep-alive\n\n" : events.map(sentEvent).join("");
    }
  } finally {
    count(-1);
  }
}

/** JSON has no bare line break, so one `data:` line carries it. */
function sentEvent(event: LoggedEvent): string {
  return `id: ${event._id}\nevent: ${event.type}\ndata: ${JSON.stringify(cloudEvent(event))}\n\n`;
}

/** Its id is the last one that is lost, so that a client that connects again goes on behind it. */
function lostEvent({ after, before }: LostEvents): string {
  const last = String(Number(before) - 1).padStart(idDigits, "0");
  return `id: ${last}\nevent: feed.lost\ndata: ${JSON.stringify({ after, before })}\n\n`;
}

/** A client that was away for longer than events are kept must hear of it, as must one that has seen what this store has not. */
async function findGone(log: EventFeed, after: string): Promise<Reply | undefined> {
  const lost = await findLost(log, after);
  const goOn = "an empty `after` begins with the oldest event that is kept, none with what happens from now on";
  if (lost !== undefined) {
    return { problem: { type: "gone", detail: `events between ${lost.after} and ${lost.before} are no longer kept; ${goOn}` } };
  }
  const { last } = await log.kept();
  if (after <= last) return undefined;
  return {
    problem: {
      type: "gone",
      detail: `${after} is ahead of this feed, whose last event is ${last || "still to come"}: its store is an older copy; ${goOn}`,
    },
  };
}

function filterOf(request: RouteRequest): EventFilter | { readonly problem: { readonly type: "bad-request"; readonly detail: string } } {
  const { types, subject } = request.query;
  const asked = types === undefined ? undefined : String(types).split(",");
  const unknown = asked?.find((type) => !isEventType(type));
  if (unknown !== undefined) {
    return {
      problem: {
        type: "bad-request",
        detail: `query parameter types: ${JSON.stringify(unknown)} is no event type; there are ${eventTypes.join(", ")}`,
      },
    };
  }
  return {
    ...(asked === undefined ? {} : { types: asked.filter(isEventType) }),
    ...(subject === undefined ? {} : { subject: String(subject) }),
  };
}

function isEventType(text: string): text is EventType {
  return eventTypes.some((type) => type === text);
}

/** Ids compare as text: short ones are filled up. Undefined when the text is none. */
function idOf(text: string): string | undefined {
  if (text === "") return "";
  return /^\d{1,16}$/.test(text) ? text.padStart(idDigits, "0") : undefined;
}

const eventSchema = {
  type: "object",
  properties: {
    specversion: { const: "1.0" },
    id: { type: "string" },
    source: { type: "string" },
    type: { type: "string" },
    subject: { type: "string" },
    time: { type: "string", format: "date-time" },
    datacontenttype: { type: "string" },
    data: {},
  },
  required: ["specversion", "id", "source", "type", "subject", "time", "data"],
} as const;
