import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "@lwm2m/protocol/testing/seeded-random";
import { VirtualClock } from "@lwm2m/protocol/testing/virtual-clock";
import { AppointmentBook } from "./appointment-book.ts";
import { type AdmissionTicket, admissionLimits, RegistrationAdmission } from "./registration-admission.ts";

interface Held {
  readonly clock: VirtualClock;
  readonly admission: RegistrationAdmission;
  readonly news: { putOff: number; perSecond: number }[];
}

function open(perSecond = 10_000, places = 8_192): Held {
  const clock = new VirtualClock();
  const news: Held["news"] = [];
  const admission = new RegistrationAdmission({
    clock,
    random: seededRandom(3),
    perSecond,
    places,
    onPutOff: (line) => news.push({ ...line }),
  });
  return { clock, admission, news };
}

/** As many as go through at once; the rest waits in the line. */
function fill({ admission }: Held, names = "first"): AdmissionTicket[] {
  const tickets: AdmissionTicket[] = [];
  for (let i = 0; ; i += 1) {
    const ticket = admission.ask(`${names}-${i}`);
    if (ticket instanceof Promise) continue;
    tickets.push(ticket);
    if (!ticket.ok) return tickets;
  }
}

/** Those that find a place in the line go on when it is closed. */
function askMany({ admission }: Held, count: number): void {
  const asked = Array.from({ length: count }, (_, i) => admission.ask(`many-${count}-${i}`));
  assert.equal(asked.length, count);
}

describe("the admission of registrations", () => {
  test("a quiet server lets in at once, as many as the store has room for", async () => {
    const { admission, clock } = open();
    for (let i = 0; i < 10_000; i += 1) {
      const ticket = admission.ask(`dev-${i}`);
      assert.ok(!(ticket instanceof Promise) && ticket.ok);
      if (i % 100 === 0) await clock.advance(1_000);
      ticket.done();
      ticket.done();
    }
    assert.deepEqual(admission.counters, { admitted: 10_000, putOff: 0 });
    assert.equal(clock.pendingTimers(), 0);
  });

  test("the line goes on as soon as one is done, in order", async () => {
    const held = open();
    const [first] = fill(held).filter((ticket) => ticket.ok);
    const before = held.admission.counters.admitted;
    assert.ok(first?.ok);
    first.done();
    assert.equal(held.admission.counters.admitted, before + 1);
    first.done();
    assert.equal(held.admission.counters.admitted, before + 1, "done counts once");
    held.admission.close();
  });

  test("each is told a time of its own, and the same time again when it comes too early", async () => {
    const held = open();
    fill(held);
    const told = Array.from({ length: 2_000 }, (_, i) => held.admission.ask(`late-${i}`));
    const seconds = told.map((ticket) => (ticket instanceof Promise || ticket.ok ? assert.fail("let in") : ticket.maxAgeSeconds));
    const counts = new Map<number, number>();
    for (const second of seconds) counts.set(second, (counts.get(second) ?? 0) + 1);
    assert.ok(Math.max(...counts.values()) <= admissionLimits.firstRate, `${[...counts]}`);
    assert.ok(Math.max(...seconds) >= 2 && Math.max(...seconds) <= 5, `${Math.max(...seconds)}`);
    const again = held.admission.ask("late-1999");
    assert.ok(!(again instanceof Promise) && !again.ok);
    assert.ok(Math.abs(again.maxAgeSeconds - (seconds[1_999] ?? 0)) <= 1);
    held.admission.close();
  });

  test("one line a minute says how many were put off", async () => {
    const held = open();
    fill(held);
    askMany(held, 50);
    await held.clock.advance(61_000);
    askMany(held, 1_000);
    assert.deepEqual(held.news[0], { putOff: 1, perSecond: 1_000 });
    assert.ok(held.news.length <= 2);
    held.admission.close();
  });

  test("a book that is full: they are told to come after the others, and memory stays what it is", () => {
    const held = open(10_000, 8);
    fill(held);
    for (let i = 0; i < 10_000; i += 1) {
      const ticket = held.admission.ask(`late-${i}`);
      assert.ok(!(ticket instanceof Promise) && !ticket.ok);
      assert.ok(ticket.maxAgeSeconds >= 1 && ticket.maxAgeSeconds <= 70, `${ticket.maxAgeSeconds}`);
    }
    held.admission.close();
  });

  test("REGISTRATION_RATE=1: one a second, from the line too", async () => {
    const { admission, clock } = open(1);
    let admitted = 0;
    for (let second = 0; second < 20; second += 1) {
      const ticket = await Promise.race([admission.ask(`dev-${second}`), Promise.resolve(undefined)]);
      if (ticket?.ok === true) {
        admitted += 1;
        ticket.done();
      }
      await clock.advance(500);
    }
    assert.ok(admitted <= 11, `${admitted} in ten seconds`);
    assert.ok(admission.counters.admitted >= 8 && admission.counters.admitted <= 12, `${admission.counters.admitted}`);
    admission.close();
    assert.equal(clock.pendingTimers(), 0);
  });
});

describe("the book of appointments", () => {
  test("finds what was set, forgets what is over, gives its place to another", () => {
    const book = new AppointmentBook(64);
    const kept: string[] = [];
    for (let i = 0; i < 64; i += 1) if (book.set(`dev-${i}`, { at: 1_000 + i, kind: "told" }, 0)) kept.push(`dev-${i}`);
    assert.ok(kept.length > 40, `${kept.length} of 64`);
    for (const name of kept) assert.equal(book.find(name, 500)?.at, 1_000 + Number(name.slice(4)));
    assert.equal(book.find(kept[0] ?? "", 1_000_000), undefined, "long over");
    assert.equal(book.set("new", { at: 1_000_100, kind: "turned-away" }, 1_000_000), true);
    assert.deepEqual(book.find("new", 1_000_000), { at: 1_000_100, kind: "turned-away" });
    book.delete("new");
    assert.equal(book.find("new", 1_000_000), undefined);
  });

  test("names of a fleet spread: half full, nearly all find a place", () => {
    const book = new AppointmentBook(16_384);
    let kept = 0;
    for (let i = 0; i < 8_192; i += 1) if (book.set(`ep=urn:imei:${String(i).padStart(15, "0")}`, { at: i, kind: "told" }, 0)) kept += 1;
    assert.ok(kept > 8_150, `${kept}`);
  });

  test("refuses a size it cannot have", () => assert.throws(() => new AppointmentBook(100), /power of two/));
});
