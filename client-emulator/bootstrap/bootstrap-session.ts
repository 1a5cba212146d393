/** Runs the bootstrap machine: asks the bootstrap server, lets it configure the tree, says when it is done. */
import { formatCode, isSuccess, Method } from "@lwm2m/protocol/coap/codes";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingRequest, OutgoingResponse, Peer, RequestOutcome } from "@lwm2m/protocol/coap/message";
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import { securityObjectId } from "../objects/security-object.ts";
import { serverObjectId } from "../objects/server-object.ts";
import type { PayloadSettings } from "../payload-door.ts";
import type { ServerLink } from "../security/server-link.ts";
import type { Instance, ObjectTree } from "../tree/object-tree.ts";
import { serveBootstrap } from "./bootstrap-door.ts";
import { type BootstrapEffect, type BootstrapEvent, type BootstrapState, step } from "./bootstrap-machine.ts";
import { type CredentialCheck, inconsistency } from "./consistency.ts";

export interface BootstrapSessionOptions {
  readonly endpoint: CoapEndpoint;
  /** The session's own: it ends with it. */
  readonly link: ServerLink;
  readonly clock: Clock;
  readonly tree: ObjectTree;
  readonly payloads: PayloadSettings;
  readonly endpointName: string;
  readonly checkCredential: CredentialCheck;
  readonly onFinished: () => void;
  readonly log: (message: string) => void;
}

/** EXCHANGE_LIFETIME: for so long a server that missed the answer to Finish may send it again (RFC 7252 §4.8.2). */
const farewellMs = 247_000;

export class BootstrapSession {
  readonly #options: BootstrapSessionOptions;
  #state: BootstrapState = { kind: "off" };
  #timer: Timer | undefined;
  #request: AbortController | undefined;
  /** Runs after the end, until the security session goes too. */
  #farewell: Timer | undefined;
  #before: ReadonlyMap<number, ReadonlyMap<number, Instance>> = new Map();

  constructor(options: BootstrapSessionOptions) {
    this.#options = options;
    options.link.onLost = () => {
      this.#request?.abort();
      this.#request = undefined;
      this.#dispatch({ kind: "lost" });
    };
  }

  /** Undefined while there is no security session. */
  get peer(): Peer | undefined {
    return this.#options.link.peer;
  }

  /** The bootstrap server has the word. */
  get active(): boolean {
    return this.#state.kind !== "off";
  }

  start(): void {
    this.#dispatch({ kind: "start" });
  }

  stop(): void {
    this.#request?.abort();
    this.#request = undefined;
    this.#dispatch({ kind: "stop" });
    this.#farewell?.cancel();
    this.#options.link.drop();
  }

  serve(request: IncomingRequest): OutgoingResponse {
    const { tree, payloads, checkCredential, log } = this.#options;
    this.#dispatch({ kind: "operation" });
    const onFinish = (): void => this.#dispatch({ kind: "finish", consistent: inconsistency(tree, checkCredential) === undefined });
    return serveBootstrap({ tree, payloads, checkCredential, onFinish, log }, request);
  }

  #dispatch(event: BootstrapEvent): void {
    const [state, effects] = step(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#run(effect);
  }

  #run(effect: BootstrapEffect): void {
    switch (effect.kind) {
      case "arm":
        this.#timer?.cancel();
        this.#timer =
          effect.delayMs === undefined ? undefined : this.#options.clock.after(effect.delayMs, () => this.#dispatch({ kind: "due" }));
        return;
      case "send-request":
        this.#before = this.#snapshot();
        this.#sendRequest();
        return;
      case "restore":
        this.#options.log("bootstrap: not finished, the former configuration is back");
        this.#restore();
        return;
      case "finished":
        this.#farewell = this.#options.clock.after(farewellMs, () => this.#options.link.drop());
        this.#options.onFinished();
        return;
    }
  }

  #sendRequest(): void {
    const { log } = this.#options;
    const own = new AbortController();
    this.#request = own;
    void this.#exchange(own.signal).then((outcome) => {
      if (this.#request !== own) return;
      this.#request = undefined;
      if (outcome !== undefined) log(`bootstrap request: ${outcome.ok ? formatCode(outcome.response.code) : outcome.reason}`);
      // The server may have lost a security session that this device still believes in.
      if (outcome?.ok === false) this.#options.link.drop();
      this.#dispatch({ kind: outcome?.ok === true && isSuccess(outcome.response.code) ? "accepted" : "refused" });
    });
  }

  /** Undefined: there is no security session. */
  async #exchange(signal: AbortSignal): Promise<RequestOutcome | undefined> {
    const { endpoint, link, endpointName, payloads } = this.#options;
    const peer = await link.connect(signal);
    if (peer === undefined || signal.aborted) return undefined;
    // `pct` names the format the device prefers, from 1.1 on (LwM2M Core 1.1 §6.1.7.1).
    const pct = payloads.lwm2mVersion === "1.0" ? [] : [`pct=${payloads.preferredFormat}`];
    return endpoint.request(peer, { method: Method.post, path: ["bs"], query: [`ep=${endpointName}`, ...pct] }, { signal });
  }

  #snapshot(): ReadonlyMap<number, ReadonlyMap<number, Instance>> {
    const copies = new Map<number, ReadonlyMap<number, Instance>>();
    for (const objectId of [securityObjectId, serverObjectId]) {
      const instances = this.#options.tree.find(objectId)?.instances ?? new Map<number, Instance>();
      copies.set(objectId, new Map([...instances].map(([id, instance]) => [id, new Map(instance)])));
    }
    return copies;
  }

  #restore(): void {
    for (const [objectId, instances] of this.#before) {
      const object = this.#options.tree.find(objectId);
      if (object === undefined) continue;
      object.instances.clear();
      for (const [id, instance] of instances) object.instances.set(id, instance);
    }
  }
}
