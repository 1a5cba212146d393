/** RFC 3339 instants and epoch seconds, by calendar arithmetic alone: 64-bit seconds stay exact and no clock is involved. */

const secondsPerDay = 86_400n;
/** Days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar. */
const epochDay = 719_468;
/** 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z: what RFC 3339 can write. */
const leastSeconds = -62_167_219_200n;
const greatestSeconds = 253_402_300_799n;

const instantPattern = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** `1367491215n` as `"2013-05-02T10:40:15Z"`; undefined outside the years 0 to 9999. */
export function formatEpochSeconds(seconds: bigint): string | undefined {
  if (seconds < leastSeconds || seconds > greatestSeconds) return undefined;
  const secondOfDay = Number(((seconds % secondsPerDay) + secondsPerDay) % secondsPerDay);
  const day = Number((seconds - BigInt(secondOfDay)) / secondsPerDay);
  const { year, month, dayOfMonth } = civilOf(day);
  const clock = [Math.floor(secondOfDay / 3600), Math.floor(secondOfDay / 60) % 60, secondOfDay % 60].map(twoDigits).join(":");
  return `${String(year).padStart(4, "0")}-${twoDigits(month)}-${twoDigits(dayOfMonth)}T${clock}Z`;
}

/** Undefined when the text is no RFC 3339 date and time; fractions of a second are dropped, a leap second counts as the next one. */
export function findEpochSeconds(text: string): bigint | undefined {
  const match = instantPattern.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, dayOfMonth = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const offsetHour = Number(match[8] ?? 0);
  const offsetMinute = Number(match[9] ?? 0);
  if (dayOfMonth < 1 || dayOfMonth > daysIn(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return undefined;
  const offsetSeconds = (offsetHour * 3600 + offsetMinute * 60) * (match[7] === "-" ? -1 : 1);
  return BigInt(dayOf(year, month, dayOfMonth)) * secondsPerDay + BigInt(hour * 3600 + minute * 60 + second - offsetSeconds);
}

function daysIn(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leap ? 29 : (monthDays[month - 1] ?? 0);
}

/** Days since 1970-01-01. The year is counted from March, so that the leap day comes last. */
function dayOf(year: number, month: number, dayOfMonth: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const marchMonth = (month + 9) % 12;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leapDays + daysBefore(marchMonth) + dayOfMonth - 1 - epochDay;
}

function civilOf(day: number): { readonly year: number; readonly month: number; readonly dayOfMonth: number } {
  // An estimate that is never too late and at most a year too early, then a step.
  let year = Math.floor(day / 365.2425) + 1969;
  while (dayOf(year + 1, 1, 1) <= day) year++;
  let month = 1;
  while (month < 12 && dayOf(year, month + 1, 1) <= day) month++;
  return { year, month, dayOfMonth: day - dayOf(year, month, 1) + 1 };
}

/** Days before the n-th month counted from March: 0, 31, 61, 92, … */
function daysBefore(marchMonth: number): number {
  return Math.floor((153 * marchMonth + 2) / 5);
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
