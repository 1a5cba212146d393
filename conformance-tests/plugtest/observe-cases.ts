/** TD_COAP_OBS of the ETSI CoAP plugtest; there is no OBS_03. */
import assert from "node:assert/strict";
import { codeText, uintValue, type WireMessage } from "../conformance/wire-message.ts";
import { eventually, eventuallySucceeds, patienceMs } from "../interop/platform/deadline.ts";
import type { PlugtestCase, PlugtestCases } from "./case.ts";
import { largeText, type PlugtestWatch, type Scene } from "./party.ts";
import {
  blockOf,
  checkObserveOrder,
  isConfirmable,
  isRequest,
  isResponse,
  lastExchange,
  notificationsOn,
  optionNumber,
  reactionsTo,
  reactionTo,
  requestsOn,
  sameToken,
  typeText,
} from "./wire-checks.ts";

interface Observing extends Scene {
  readonly watch: PlugtestWatch;
  readonly path: string;
  /** The request that began the relation. */
  readonly register: WireMessage;
  /** What it was answered. */
  readonly first: WireMessage;
  /** Changes the resource and waits until the client displays it. */
  change(body: string): Promise<void>;
}

async function observing(scene: Scene, name: string, options: { confirmable?: boolean; forSeconds?: number } = {}): Promise<Observing> {
  const path = scene.server.resources[name] ?? "";
  const before = scene.wire.captured.length;
  const watch = await scene.client.observe(path, options);
  const captured = scene.wire.captured.slice(before).map(({ message }) => message);
  const register = captured.find((message) => isRequest(message) && uintValue(message, optionNumber.observe) === 0);
  assert.ok(register, "no request with Observe 0");
  assert.equal(typeText(register), options.confirmable === false ? "NON" : "CON");
  const first = captured.find((message) => isResponse(message) && sameToken(message, register));
  assert.ok(first, "no answer with its token");
  assert.equal(codeText(first.code), "2.05");
  assert.notEqual(uintValue(first, optionNumber.observe), undefined, "the relation stands");
  const change = async (body: string): Promise<void> => {
    await scene.server.change(path, body, options.confirmable ?? true);
    await displayed(watch, body);
  };
  return { ...scene, watch, path, register, first, change };
}

function displayed(watch: PlugtestWatch, body: string): Promise<true> {
  return eventually(`${body.slice(0, 20)}, after ${watch.seen.length} bodies, to be displayed`, patienceMs, () =>
    watch.seen.at(-1) === body ? true : undefined,
  );
}

/** Notifications of one relation, its first answer not among them. */
function ofRelation({ wire, register, first }: Observing): WireMessage[] {
  return notificationsOn(wire).filter((message) => sameToken(message, register) && message.messageId !== first.messageId);
}

async function allAcknowledged(scene: Observing): Promise<void> {
  await eventually("the acknowledgements", patienceMs, () =>
    ofRelation(scene).every((each) => reactionTo(scene.wire, each) === "ACK") ? true : undefined,
  );
}

async function noObserversLeft({ server, path }: Observing): Promise<void> {
  if (server.observers === undefined) return;
  await eventually("the end of the relation at the server", patienceMs, async () =>
    (await server.observers?.(path)) === 0 ? true : undefined,
  );
}

/** After the end of a relation a change brings nothing. */
async function silentFrom(scene: Observing): Promise<void> {
  await noObserversLeft(scene);
  const before = ofRelation(scene).length;
  await scene.server.change(scene.path, "unseen");
  // A later exchange, so that a notification would have come before it.
  await scene.client.request({ method: "get", path: scene.server.resources["test"] ?? "" });
  assert.equal(ofRelation(scene).length, before, "a notification after the end");
}

function notified(title: string, name: string, confirmable: boolean): PlugtestCase {
  return {
    title,
    ...(confirmable ? {} : { nonConfirmableNotifications: true as const }),
    run: async (scene) => {
      const observed = await observing(scene, name, { confirmable });
      for (const body of ["one", "two", "three"]) await observed.change(body);
      const notifications = ofRelation(observed);
      assert.equal(notifications.length, 3);
      checkObserveOrder(notifications);
      for (const notification of notifications) {
        assert.deepEqual([typeText(notification), codeText(notification.code)], [confirmable ? "CON" : "NON", "2.05"]);
        assert.equal(uintValue(notification, optionNumber.contentFormat) ?? 0, 0);
      }
      if (confirmable) await allAcknowledged(observed);
    },
  };
}

function ended(title: string, code: "4.04" | "4.06"): PlugtestCase {
  return {
    title,
    run: async (scene) => {
      const observed = await observing(scene, "obs");
      await observed.change("one");
      // libcoap's server tells nobody of the end while a notification of before waits for its acknowledgement.
      await allAcknowledged(observed);
      assert.ok(scene.server.endRelations, "the table names a server that cannot");
      await scene.server.endRelations(observed.path, code);
      const last = await eventually("the last notification", patienceMs, () =>
        ofRelation(observed).find((each) => codeText(each.code) === code),
      );
      assert.deepEqual([typeText(last), uintValue(last, optionNumber.observe)], [scene.server.endsByNon ? "NON" : "CON", undefined]);
      if (isConfirmable(last)) await allAcknowledged(observed);
      await noObserversLeft(observed);
      assert.equal(ofRelation(observed).at(-1)?.messageId, last.messageId);
      assert.equal(observed.watch.seen.at(-1)?.includes("unseen"), false);
    },
  };
}

function large(title: string, bodies: readonly string[]): PlugtestCase {
  return {
    title,
    run: async (scene) => {
      const observed = await observing(scene, "obsLarge");
      assert.equal(observed.watch.seen[0], largeText);
      for (const body of bodies) {
        await observed.change(body);
        const notification = ofRelation(observed).at(-1);
        assert.ok(notification);
        const first = blockOf(notification, optionNumber.block2);
        // libcoap lets a little more than a block go in one message.
        assert.equal(first?.more ?? false, notification.payload.length < body.length);
        if (notification.payload.length === body.length) continue;
        assert.equal(first?.number, 0);
        // RFC 7959 §3.4: the later blocks are asked for without Observe.
        const later = requestsOn(scene.wire).at(-1);
        assert.ok(later);
        assert.notEqual(blockOf(later, optionNumber.block2), undefined);
        assert.equal(uintValue(later, optionNumber.observe), undefined);
      }
    },
  };
}

export const observeCases: PlugtestCases = {
  TD_COAP_OBS_01: notified("notifications, CON", "obs", true),
  TD_COAP_OBS_02: notified("notifications, NON", "obsNon", false),
  TD_COAP_OBS_04: {
    title: "the server loses the relation, the client registers again",
    run: async (scene) => {
      const observed = await observing(scene, "obs");
      await observed.change("one");
      await observed.watch.forget();
      await scene.server.reboot();
      const before = scene.wire.captured.length;
      await scene.server.change(observed.path, "unseen");
      assert.equal(observed.watch.seen.at(-1), "one");
      const told = scene.wire.captured
        .slice(before)
        .filter(({ fromClient, message }) => !fromClient && sameToken(message, observed.register));
      assert.equal(told.length, 0, "the server knows the relation still");
      scene.wire.captured.length = 0;
      const again = await observing(scene, "obs");
      await again.change("two");
      await allAcknowledged(again);
    },
  },
  TD_COAP_OBS_05: {
    title: "the client is off: the server gives up the notification and the relation",
    run: async (scene) => {
      const observed = await observing(scene, "obs");
      await observed.change("one");
      scene.wire.faults = () => "lost";
      await scene.server.change(observed.path, "two");
      await noObserversLeft(observed);
      const copies = scene.wire.captured.filter(
        ({ fromClient, message }) => !fromClient && message.messageId === ofRelation(observed).at(-1)?.messageId,
      );
      assert.equal(copies.length, 5, "MAX_RETRANSMIT is 4");
      await scene.server.change(observed.path, "three");
      assert.equal(ofRelation(observed).length, 2);
    },
  },
  TD_COAP_OBS_06: {
    title: "the client is restarted: RST ends the relation",
    run: async (scene) => {
      const observed = await observing(scene, "obs");
      await observed.change("one");
      await observed.watch.forget();
      const rejected = () => ofRelation(observed).find((each) => reactionTo(scene.wire, each) === "RST");
      // aiocoap accepts one notification more before it forgets.
      for (const body of ["two", "three"]) {
        if (rejected() !== undefined) break;
        await scene.server.change(observed.path, body);
        await eventually("a reaction", patienceMs, () => {
          const last = ofRelation(observed).at(-1);
          return last !== undefined && Buffer.from(last.payload).toString() === body ? reactionTo(scene.wire, last) : undefined;
        });
      }
      assert.ok(rejected(), "no RST");
      await silentFrom(observed);
    },
  },
  TD_COAP_OBS_07: ended("the resource is deleted: 4.04 without Observe", "4.04"),
  TD_COAP_OBS_08: ended("its Content-Format changes: 4.06 without Observe", "4.06"),
  TD_COAP_OBS_09: {
    title: "an update shows in the next notification",
    run: async (scene) => {
      const observed = await observing(scene, "obs");
      await observed.change("one");
      await observed.change("an update");
      const last = ofRelation(observed).at(-1);
      assert.ok(last && isConfirmable(last));
      assert.equal(Buffer.from(last.payload).toString(), "an update");
      await allAcknowledged(observed);
    },
  },
  TD_COAP_OBS_10: {
    title: "GET does not cancel",
    run: async (scene) => {
      const observed = await observing(scene, "obs");
      await observed.change("one");
      assert.equal((await scene.client.request({ method: "get", path: observed.path })).payload, "one");
      const { request, response } = lastExchange(scene.wire);
      assert.deepEqual([uintValue(request, optionNumber.observe), uintValue(response, optionNumber.observe)], [undefined, undefined]);
      await observed.change("two");
      await allAcknowledged(observed);
    },
  },
  TD_COAP_OBS_11: {
    title: "lossy: a lost notification comes again, one at a time",
    run: async (scene) => {
      const observed = await observing(scene, "obs");
      for (const isVictim of [
        (message: WireMessage, fromClient: boolean) => !fromClient && isResponse(message) && isConfirmable(message),
        (message: WireMessage, fromClient: boolean) => fromClient && message.code === 0,
      ]) {
        const gone: WireMessage[] = [];
        scene.wire.faults = (message, fromClient) => {
          if (gone.length > 0 || !isVictim(message, fromClient)) return "passed";
          gone.push(message);
          return "lost";
        };
        const body = `after ${ofRelation(observed).length}`;
        await observed.change(body);
        // The body is displayed before its acknowledgement has crossed.
        const { messageId, code } = await eventually("the loss", patienceMs, () => gone[0]);
        // The lost one itself, or the one whose ACK was lost: a change may be told twice, as a server that forgets requests does.
        const victim = await eventually("a second copy", patienceMs, () => {
          const copies = scene.wire.captured.filter(({ fromClient, message }) => !fromClient && message.messageId === messageId);
          return copies.length > 1 ? copies[0]?.message : undefined;
        });
        assert.ok(isResponse(victim) && sameToken(victim, observed.register));
        const acksNeeded = code === 0 && !scene.client.acknowledgesOnce ? 2 : 1;
        const reaction = await eventually("its acknowledgement", patienceMs, () =>
          reactionsTo(scene.wire, victim).length >= acksNeeded ? reactionTo(scene.wire, victim) : undefined,
        );
        assert.equal(reaction, "ACK");
      }
    },
  },
  TD_COAP_OBS_12: {
    title: "GET with Observe 1 cancels",
    run: async (scene) => {
      const observed = await observing(scene, "obs", { forSeconds: 6 });
      await observed.change("one");
      await observed.watch.cancel();
      // libcoap's client does not wait for the answer.
      const { request, response } = await eventuallySucceeds("the answer", patienceMs, async () => lastExchange(scene.wire));
      assert.deepEqual([uintValue(request, optionNumber.observe), sameToken(request, observed.register)], [1, true]);
      assert.deepEqual([codeText(response.code), uintValue(response, optionNumber.observe)], ["2.05", undefined]);
      await silentFrom(observed);
    },
  },
  TD_COAP_OBS_13: large("a large resource", ["x".repeat(1_500)]),
  TD_COAP_OBS_14: large("a large resource whose size changes", ["x".repeat(3_000), "y", "z".repeat(1_025)]),
};
