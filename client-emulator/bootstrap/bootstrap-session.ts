/** Runs the bootstrap machine: asks the bootstrap server, lets it configure the tree, says when it is done. */
import { formatCode, isSuccess, Method } from "@lwm2m/protocol/coap/codes";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingRequest, OutgoingResponse, Peer } from "@lwm2m/protocol/coap/message";
import type { Clock, Timer } from "@lwm2m/protocol/ports/clock";
import { securityObjectId } from "../objects/security-object.ts";
import { serverObjectId } from "../objects/server-object.ts";
import type { PayloadSettings } from "../payload-door.ts";
import type { Instance, ObjectTree } from "../tree/object-tree.ts";
import { serveBootstrap } from "./bootstrap-door.ts";
import { type BootstrapEffect, type BootstrapEvent, type BootstrapState, step } from "./bootstrap-machine.ts";
import { inconsistency } from "./consistency.ts";

export interface BootstrapSessionOptions {
  readonly endpoint: CoapEndpoint;
  readonly peer: Peer;
  readonly clock: Clock;
  readonly tree: ObjectTree;
  readonly payloads: PayloadSettings;
  readonly endpointName: string;
  readonly onFinished: () => void;
  readonly log: (message: string) => void;
}

export class BootstrapSession {
  readonly #options: BootstrapSessionOptions;
  #state: BootstrapState = { kind: "off" };
  #timer: Timer | undefined;
  #request: AbortController | undefined;
  #before: ReadonlyMap<number, ReadonlyMap<number, Instance>> = new Map();

  constructor(options: BootstrapSessionOptions) {
    this.#options = options;
  }

  get peer(): Peer {
    return this.#options.peer;
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
  }

  serve(request: IncomingRequest): OutgoingResponse {
    const { tree, payloads, log } = this.#options;
    this.#dispatch({ kind: "operation" });
    const onFinish = (): void => this.#dispatch({ kind: "finish", consistent: inconsistency(tree) === undefined });
    return serveBootstrap({ tree, payloads, onFinish, log }, request);
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
        this.#options.onFinished();
        return;
    }
  }

  #sendRequest(): void {
    const { endpoint, peer, endpointName, payloads, log } = this.#options;
    const own = new AbortController();
    this.#request = own;
    // `pct` names the format the device prefers, from 1.1 on (LwM2M Core 1.1 §6.1.7.1).
    const pct = payloads.lwm2mVersion === "1.0" ? [] : [`pct=${payloads.preferredFormat}`];
    const request = { method: Method.post, path: ["bs"], query: [`ep=${endpointName}`, ...pct] };
    void endpoint.request(peer, request, { signal: own.signal }).then((outcome) => {
      if (this.#request !== own) return;
      this.#request = undefined;
      log(`bootstrap request: ${outcome.ok ? formatCode(outcome.response.code) : outcome.reason}`);
      this.#dispatch({ kind: outcome.ok && isSuccess(outcome.response.code) ? "accepted" : "refused" });
    });
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
