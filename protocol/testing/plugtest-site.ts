/** The resources the ETSI CoAP plugtest descriptions ask a server for (TD_COAP_CORE, LINK, BLOCK, OBS), behind a request handler. */
import { Method, ResponseCode } from "../coap/codes.ts";
import type { CoapEndpoint } from "../coap/endpoint-contract.ts";
import type { IncomingRequest, OutgoingResponse, ServedObservation } from "../coap/message.ts";
import { OptionNumber } from "../coap/options.ts";
import { formatResourceLinks, type ResourceLink } from "../coap/well-known-core.ts";
import type { Clock } from "../ports/clock.ts";

const encoder = new TextEncoder();
const text = (value: string): Uint8Array => encoder.encode(value);
const [plain, linkFormat, xml] = [0, 40, 41];
const separateMs = 3_000;
/** Max-Age of observed resources, seconds (TD_COAP_OBS_04). */
export const observedMaxAgeSeconds = 5;
export const largeBody: Uint8Array = Uint8Array.from({ length: 1_700 }, (_, i) => 0x61 + (i % 26));

export const siteLinks: readonly ResourceLink[] = [
  { path: ["test"], attributes: { rt: "test", ct: plain } },
  { path: ["link1"], attributes: { rt: "Type1 Type2", if: "If1" } },
  { path: ["link2"], attributes: { rt: "Type2 Type3", if: "If2" } },
  { path: ["link3"], attributes: { rt: "Type1 Type3", if: "foo" } },
  { path: ["large"], attributes: { sz: largeBody.length } },
  { path: ["obs"], attributes: { obs: true } },
  { path: ["path"], attributes: { ct: linkFormat } },
];
const subLinks: readonly ResourceLink[] = [{ path: ["path", "sub1"] }, { path: ["path", "sub2"] }];

export class PlugtestSite {
  readonly #clock: Clock;
  readonly #stored = new Map<string, Uint8Array>([
    ["validate", text("first")],
    ["obs", text("0")],
    ["obs-non", text("0")],
    ["obs-large", largeBody],
  ]);
  readonly observers = new Map<string, Set<ServedObservation>>();

  constructor(endpoint: CoapEndpoint, clock: Clock) {
    this.#clock = clock;
    endpoint.handle((request) => this.#serve(request), { preconditions: true });
  }

  /** Changes an observed resource and tells who observes it. */
  async change(name: string, body: Uint8Array, confirmable = true): Promise<void> {
    this.#stored.set(name, body);
    const response = { code: ResponseCode.content, contentFormat: plain, maxAgeSeconds: observedMaxAgeSeconds, payload: body };
    await Promise.all([...(this.observers.get(name) ?? [])].map((relation) => relation.notify(response, confirmable)));
  }

  /** Ends every relation with an error notification (TD_COAP_OBS_07, TD_COAP_OBS_08). */
  async endRelations(name: string, code: number): Promise<void> {
    await Promise.all([...(this.observers.get(name) ?? [])].map((relation) => relation.notify({ code }, true)));
  }

  #serve(request: IncomingRequest): OutgoingResponse | Promise<OutgoingResponse> {
    const path = request.path.join("/");
    switch (path) {
      case ".well-known/core":
        return { code: ResponseCode.content, contentFormat: linkFormat, payload: text(formatResourceLinks(siteLinks, request.query)) };
      case "path":
        return { code: ResponseCode.content, contentFormat: linkFormat, payload: text(formatResourceLinks(subLinks)) };
      case "test":
        return this.#test(request);
      case "separate":
        return new Promise((resolve) => this.#clock.after(separateMs, () => resolve(content(text("separate")))));
      case "query":
        return content(text(request.query.join("&")));
      case "location-query":
        return {
          code: ResponseCode.created,
          options: ["first=1", "second=2"].map((value) => ({ number: OptionNumber.locationQuery, value: text(value) })),
        };
      case "multi-format":
        if (request.accept === xml) return { ...content(text("<v/>")), contentFormat: xml };
        return request.accept === undefined || request.accept === plain ? content(text("v")) : { code: ResponseCode.notAcceptable };
      case "large":
        return content(largeBody);
      case "large-post":
        return { ...content(largeBody), code: ResponseCode.changed };
      case "large-create":
        if (request.method === Method.get) return this.#stored.has(path) ? this.#read(request, path) : { code: ResponseCode.notFound };
        this.#stored.set(path, request.payload);
        return { code: ResponseCode.created, locationPath: [path] };
      case "seg1/seg2/seg3":
      case "path/sub1":
      case "path/sub2":
        return content(text(`/${path}`));
      default:
        return this.#resource(request, path);
    }
  }

  #test({ method, query }: IncomingRequest): OutgoingResponse {
    switch (method) {
      case Method.post:
        return { code: ResponseCode.created, locationPath: ["location1", "location2", "location3"] };
      case Method.put:
        return { code: ResponseCode.changed };
      case Method.delete:
        return { code: ResponseCode.deleted };
      default:
        return content(text(`test${query.join()}`));
    }
  }

  /** GET with validation, PUT with preconditions, DELETE (RFC 7252 §5.6.2, §5.10.8). */
  #resource(request: IncomingRequest, path: string): OutgoingResponse {
    const stored = this.#stored.get(path);
    if (request.method === Method.get) return stored === undefined ? { code: ResponseCode.notFound } : this.#read(request, path);
    if (request.method === Method.delete) {
      this.#stored.delete(path);
      return { code: ResponseCode.deleted };
    }
    if (request.method !== Method.put) return { code: ResponseCode.methodNotAllowed };
    const tag = stored === undefined ? undefined : tagOf(stored);
    const matches = request.ifMatch?.some((wanted) => tag !== undefined && (wanted.length === 0 || isEqual(wanted, tag))) ?? true;
    if (!matches || (request.ifNoneMatch && stored !== undefined)) return { code: ResponseCode.preconditionFailed };
    this.#stored.set(path, request.payload);
    return { code: stored === undefined ? ResponseCode.created : ResponseCode.changed };
  }

  #read(request: IncomingRequest, path: string): OutgoingResponse {
    const stored = this.#stored.get(path) ?? new Uint8Array(0);
    const etag = tagOf(stored);
    const known = request.options.some((option) => option.number === OptionNumber.etag && isEqual(option.value, etag));
    if (known) return { code: ResponseCode.valid, etag };
    if (!path.startsWith("obs")) return { ...content(stored), etag };
    const observers = this.observers.get(path) ?? new Set();
    this.observers.set(path, observers);
    return {
      ...content(stored),
      maxAgeSeconds: observedMaxAgeSeconds,
      acceptObserve: (relation) => {
        observers.add(relation);
        relation.onEnd(() => observers.delete(relation));
      },
    };
  }
}

function content(payload: Uint8Array): OutgoingResponse {
  return { code: ResponseCode.content, contentFormat: plain, payload };
}

function tagOf(body: Uint8Array): Uint8Array {
  return body.reduce(
    (tag, byte, i) => {
      tag[i % 4] = ((tag[i % 4] ?? 0) * 31 + byte) & 0xff;
      return tag;
    },
    Uint8Array.of(1, 2, 3, body.length & 0xff),
  );
}

function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}
