/** The parts of the device wired together: what happens in one is told to the others here and nowhere else. */

import { ResponseCode } from "@lwm2m/protocol/coap/codes";
import type { CoapEndpoint } from "@lwm2m/protocol/coap/endpoint-contract";
import type { IncomingRequest, OutgoingResponse } from "@lwm2m/protocol/coap/message";
import type { Timer } from "@lwm2m/protocol/ports/clock";
import type { SocketAddress } from "@lwm2m/protocol/ports/datagram-socket";
import { AfterReply } from "./after-reply.ts";
import { refused } from "./answer.ts";
import { bootstrapAccount } from "./bootstrap/consistency.ts";
import type { Lwm2mClientOptions } from "./client-options.ts";
import { serveDeviceManagement } from "./device-management-door.ts";
import { DeviceMemory } from "./device-memory.ts";
import { addAccounts, addObjects, restoreBootstrapped } from "./device-objects.ts";
import { downloadPackage } from "./firmware/download.ts";
import { type FirmwareEnvironment, FirmwareRuntime } from "./firmware/firmware-runtime.ts";
import type { FirmwarePackage } from "./firmware/package-format.ts";
import { AttributeStore } from "./notify/attribute-store.ts";
import { contentAnswer } from "./notify/content-answer.ts";
import { Observations } from "./notify/observations.ts";
import { DeviceResource, deviceObjectId } from "./objects/device-object.ts";
import { openSensors, type Sensors } from "./objects/sensors.ts";
import { type ServerEffects, serverObjectId } from "./objects/server-object.ts";
import { text } from "./objects/values.ts";
import { carriesTime, type PayloadSettings } from "./payload-door.ts";
import { AwakeWindow } from "./queue-mode/awake-window.ts";
import { noChanges } from "./registration/registration-machine.ts";
import { ServerContact } from "./registration/server-contact.ts";
import { servedLine } from "./request-log.ts";
import type { ClientTransport } from "./security/client-transport.ts";
import { openSends, type Sends } from "./send/sends.ts";
import { discover } from "./tree/discover.ts";
import { ObjectTree, type TreeChange } from "./tree/object-tree.ts";
import { refuse } from "./tree/outcome.ts";

export class Device {
  readonly tree = new ObjectTree();
  readonly observations: Observations;
  readonly statistics = { registrations: 0, updates: 0, requestsServed: 0 };
  readonly #options: Lwm2mClientOptions;
  readonly #endpoint: CoapEndpoint;
  readonly #transport: ClientTransport;
  readonly #attributes: AttributeStore;
  readonly #window: AwakeWindow;
  readonly #memory: DeviceMemory;
  readonly #firmware: FirmwareRuntime;
  readonly #payloads: PayloadSettings;
  readonly #contact: ServerContact;
  readonly #afterReply: AfterReply;
  #powered = true;
  #sensors: Sensors | undefined;
  #sends: Sends | undefined;
  #powerOnTimer: Timer | undefined;

  constructor(options: Lwm2mClientOptions, endpoint: CoapEndpoint, transport: ClientTransport) {
    this.#options = options;
    this.#endpoint = endpoint;
    this.#transport = transport;
    const { clock, settings, stored } = options;
    this.#afterReply = new AfterReply(clock);
    this.#payloads = {
      lwm2mVersion: settings.lwm2mVersion,
      preferredFormat: settings.preferredFormat,
      nowMs: () => clock.now(),
    };
    this.#memory = new DeviceMemory(stored, (state) => options.store?.(state));
    this.#firmware = new FirmwareRuntime(this.#firmwareEnvironment(), this.#memory.firmware);
    addObjects(this.tree, options, {
      clock,
      localAddress: endpoint.local.address,
      firmware: this.#firmware,
      serverEffects: this.#serverEffects(),
      deviceEffects: { reboot: () => this.#reboot(), factoryReset: () => this.#factoryReset() },
    });
    if (!restoreBootstrapped(this.tree, options)) this.#log("the stored accounts do not fit this device: bootstrapping anew");
    this.#attributes = new AttributeStore(this.tree, settings.lwm2mVersion);
    this.#window = this.#openWindow();
    this.#contact = this.#openContact();
    this.observations = this.#openObservations();
    this.tree.onChange((change) => {
      // What a bootstrap server changes is in the object list of the registration that follows.
      const tellsServer = change.structure && !this.#contact.bootstrapping;
      this.#afterReply.run(() => this.#treeChanged(change, tellsServer));
    });
  }

  get registered(): boolean {
    return this.#contact.registered;
  }

  get awake(): boolean {
    return this.#powered && this.#window.awake;
  }

  async start(): Promise<void> {
    const { clock, random, settings } = this.#options;
    this.#sensors = openSensors(this.tree, clock, random, settings.sensorIntervalSeconds * 1_000);
    this.#sends = openSends(this.tree, this.#options, this.#contact);
    await this.#contact.connect();
  }

  /** A datagram left. */
  sent(): void {
    this.#window.extend();
  }

  serve(request: IncomingRequest): OutgoingResponse {
    return this.#afterReply.during(() => {
      const response = this.#route(request);
      this.statistics.requestsServed += 1;
      this.#options.log?.(servedLine(request, response), "detail");
      return response;
    });
  }

  async deregister(): Promise<void> {
    if (this.#powered) await this.#contact.deregister();
  }

  close(): void {
    this.#afterReply.close();
    this.#powerOnTimer?.cancel();
    this.#sensors?.close();
    this.#sends?.close();
    this.#contact.forget();
    this.#firmware.close();
    this.#window.close();
    this.observations.clear();
  }

  #route(request: IncomingRequest): OutgoingResponse {
    const role = this.#contact.roleOf(request.peer);
    if (role === "bootstrap-server") return this.#contact.serveBootstrap(request);
    // Nobody but the device's own server may manage it; without security its address is all there is to know it by.
    if (role === undefined) return refused(refuse(ResponseCode.unauthorized, "not the server of this device"));
    const { tree } = this;
    return serveDeviceManagement(
      {
        tree,
        payloads: this.#payloads,
        discover: (path) => discover(tree, path, this.#attributes),
        writeAttributes: (path, query) => {
          const outcome = this.#attributes.write(path, query);
          if (outcome.ok) this.#afterReply.run(() => this.observations.conditionsChanged());
          return outcome;
        },
        observe: (served, target, contentFormat, values) => this.observations.accept(served, target, contentFormat, values),
        log: (message) => this.#log(message),
      },
      request,
    );
  }

  #treeChanged(change: TreeChange, tellsServer: boolean): void {
    this.#attributes.forgetMissing();
    this.observations.treeChanged(change);
    if (change.paths.some((path) => path.objectId === serverObjectId)) this.observations.conditionsChanged();
    if (tellsServer) this.#contact.update({ ...noChanges, objects: true });
  }

  /** Power off and on again: nothing is said to the server, which learns it from the new registration. */
  #reboot(meanwhile: () => void = () => {}): void {
    const { clock, settings } = this.#options;
    this.#log(`rebooting, back in ${settings.rebootSeconds} s`);
    this.#powered = false;
    this.#transport.setOpen(false);
    this.#contact.forget();
    this.observations.clear();
    this.#powerOnTimer?.cancel();
    const powerOn = (): void => {
      meanwhile();
      this.#powered = true;
      this.#firmware.rebooted();
      this.#transport.setOpen(true);
      this.#window.wake();
      void this.#contact.connect();
    };
    this.#powerOnTimer = clock.after(settings.rebootSeconds * 1_000, powerOn);
  }

  /** Accounts and attributes as the factory made them; the firmware stays. */
  #factoryReset(): void {
    this.#log("factory reset");
    this.#reboot(() => {
      addAccounts(this.tree, this.#options, this.#serverEffects());
      this.#memory.forgetAccounts();
      this.#attributes.clear();
    });
  }

  #installed(image: FirmwarePackage): void {
    this.tree.set(deviceObjectId, 0, new Map([[DeviceResource.firmwareVersion, text(image.version)]]));
    this.#memory.keepFirmware(image);
    this.#log(`firmware ${image.version} is running`);
  }

  #serverEffects(): ServerEffects {
    return {
      lifetimeChanged: () => this.#afterReply.run(() => this.#contact.update({ ...noChanges, lifetime: true })),
      bindingChanged: () => this.#afterReply.run(() => this.#contact.update({ ...noChanges, binding: true })),
      updateTrigger: () => this.#contact.update(noChanges),
      disable: (disableMs) => this.#contact.disable(disableMs),
      bootstrapTrigger: () => {
        if (bootstrapAccount(this.tree) === undefined) return false;
        this.#afterReply.run(() => void this.#contact.rebootstrap());
        return true;
      },
    };
  }

  #firmwareEnvironment(): FirmwareEnvironment {
    const { clock, settings } = this.#options;
    const log = (message: string): void => this.#log(message);
    const securedServerAt = (address: SocketAddress) => {
      const peer = this.#contact.serverAt(address);
      return peer?.address.association === undefined ? undefined : { endpoint: this.#endpoint, peer };
    };
    return {
      tree: this.tree,
      clock,
      settings: settings.firmware,
      fetchPackage: (uri, signal) => downloadPackage(uri, { ...this.#options, log, securedServerAt }, signal),
      reboot: (meanwhile) => this.#reboot(meanwhile),
      installed: (image) => this.#installed(image),
      log,
    };
  }

  #openContact(): ServerContact {
    return new ServerContact({
      client: this.#options,
      endpoint: this.#endpoint,
      transport: this.#transport,
      tree: this.tree,
      payloads: this.#payloads,
      beforeSend: () => {
        this.#transport.setOpen(true);
        this.#window.wake();
      },
      // The server begins anew with this client: what it observed before is void (LwM2M Core 1.1 §6.2.1).
      onRegistered: () => {
        this.statistics.registrations += 1;
        this.observations.clear();
      },
      onUpdated: () => {
        this.statistics.updates += 1;
        this.observations.flush();
      },
      onDisabled: () => this.#transport.setOpen(false),
      onBootstrap: () => {
        this.observations.clear();
        this.#attributes.clear();
      },
      onConfigured: () => this.#memory.keepAccounts(this.tree),
      log: (message) => this.#log(message),
    });
  }

  #openWindow(): AwakeWindow {
    const { clock, settings } = this.#options;
    return new AwakeWindow({
      clock,
      awakeMs: settings.queueMode ? settings.awakeSeconds * 1_000 : undefined,
      busy: () => !this.registered || this.#contact.busy || this.#firmware.busy || this.observations.inFlight,
      onSleep: () => {
        this.#log("asleep");
        this.#transport.setOpen(false);
      },
      onWake: () => {
        this.#log("awake");
        if (this.#powered) this.#transport.setOpen(true);
      },
    });
  }

  #openObservations(): Observations {
    const { clock, settings } = this.#options;
    return new Observations({
      tree: this.tree,
      clock,
      conditionsOf: (target) => this.#attributes.conditionsOf(target, this.#contact.settings()),
      confirms: (target) => this.#attributes.confirms(target),
      respond: (target, values, contentFormat) => contentAnswer(this.tree, target, values, contentFormat),
      canSend: () => this.awake,
      stores: () => this.#contact.settings().storesNotifications,
      carriesTime,
      confirmEvery: settings.confirmEvery,
      log: (message) => this.#log(message),
    });
  }

  #log(message: string): void {
    this.#options.log?.(message, "event");
  }
}
