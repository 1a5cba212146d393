/** The firmware of a device of the crash run: takes an offer, fetches the package until it is whole, installs it and is another version then. */
import { Method, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { ContentFormat } from "@lwm2m/protocol/coap/content-formats";
import type { IncomingRequest, OutgoingRequest, OutgoingResponse, RequestOutcome } from "@lwm2m/protocol/coap/message";

/** The package says in its first line what version it makes. */
export function packageOf(version: string): string {
  return `${version}\n${"some firmware ".repeat(200)}`;
}

const changed: OutgoingResponse = { code: ResponseCode.changed };

export class CrashFirmware {
  version = "1";
  /** /5/0/3 and /5/0/5 (LwM2M Core 1.1 appendix E.6). */
  #state = 0;
  #result = 0;
  #uri = "";
  #image = "";

  /** Undefined: not for the firmware. */
  answer(request: IncomingRequest): OutgoingResponse | undefined {
    const path = `/${request.path.join("/")}`;
    if (request.method === Method.get && path === "/3/0/3") return text(this.version);
    if (request.method === Method.get && path === "/5/0") return senml([this.#state, this.#result]);
    if (request.method === Method.put && path === "/5/0/1") return this.#takeUri(new TextDecoder().decode(request.payload));
    if (request.method === Method.post && path === "/5/0/2") return this.#execute();
    return undefined;
  }

  /** What there is to do: a fetch, or an installation, after which the device registers anew (true). */
  async step(request: (request: OutgoingRequest) => Promise<RequestOutcome>): Promise<boolean> {
    if (this.#state === 1) await this.#fetch(request);
    if (this.#state !== 3) return false;
    this.version = this.#image.slice(0, this.#image.indexOf("\n"));
    this.#state = 0;
    this.#result = 1;
    return true;
  }

  async #fetch(request: (request: OutgoingRequest) => Promise<RequestOutcome>): Promise<void> {
    const uri = this.#uri;
    const outcome = await request({ method: Method.get, path: new URL(uri).pathname.slice(1).split("/") });
    // Unanswered: once more, until the server is back. Another offer may have come meanwhile.
    if (!outcome.ok || this.#uri !== uri || this.#state !== 1 || outcome.response.code !== ResponseCode.content) return;
    this.#image = new TextDecoder().decode(outcome.response.payload);
    this.#state = 2;
  }

  #takeUri(written: string): OutgoingResponse {
    if (this.#state === 3) return { code: ResponseCode.methodNotAllowed };
    this.#uri = /coap:[^"\s]*/.exec(written)?.[0] ?? "";
    this.#state = this.#uri === "" ? 0 : 1;
    this.#result = 0;
    return changed;
  }

  #execute(): OutgoingResponse {
    if (this.#state !== 2) return { code: ResponseCode.methodNotAllowed };
    this.#state = 3;
    return changed;
  }
}

function senml([state, result]: readonly [number, number]): OutgoingResponse {
  const records = [
    { bn: "/5/0/", n: "3", v: state },
    { n: "5", v: result },
    { n: "9", v: 0 },
  ];
  return { code: ResponseCode.content, contentFormat: ContentFormat.senmlJson, payload: new TextEncoder().encode(JSON.stringify(records)) };
}

function text(value: string): OutgoingResponse {
  const records = [{ n: "/3/0/3", vs: value }];
  return { code: ResponseCode.content, contentFormat: ContentFormat.senmlJson, payload: new TextEncoder().encode(JSON.stringify(records)) };
}
