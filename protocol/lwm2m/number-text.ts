/** Decimal numbers as text, exact both ways: 64-bit integers never pass through a double. */

export interface ScalarNumber {
  readonly kind: "number";
  readonly float: number;
  /** Where the number is mathematically whole (and of about 64 bits): exact, whatever its notation. */
  readonly integer: bigint | undefined;
  /** Written as an integer: no fraction, exponent or float encoding. */
  readonly plainInteger: boolean;
}

/** Longer than any 64-bit integer or any double a C library prints in full. */
const maxDigits = 400;
/** 10^20 is above 2^64: larger exponents give no integer we carry. */
const maxIntegerExponent = 20;

/** Below 2^53 whatever the digits are. */
const mostExactDigits = 15;
const powersOfTen = Array.from({ length: mostExactDigits + 1 }, (_, exponent) => 10 ** exponent);
const minus = 0x2d;
const digitZero = 0x30;
const pointFromZero = 0x2e - digitZero;
const none = -1;

const decimalPattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/;

/** Reads JSON numbers and their lenient kin (`+5`, `.5`, `5.`); undefined when the text is no decimal number or no finite double. */
export function findDecimal(text: string): ScalarNumber | undefined {
  return findPlainDecimal(text) ?? findAnyDecimal(text);
}

/**
 * The short cut for numbers without exponent: `findAnyDecimal` gives the same for every text that this one takes.
 *
 * Up to 15 digits, the digits and the power of ten are exact in doubles, so their quotient is the nearest double, and it is whole only where
 * the text is. With more, the text is whole where its fraction is zeros.
 */
export function findPlainDecimal(text: string): ScalarNumber | undefined {
  const { length } = text;
  if (length > maxDigits) return undefined;
  const first = text.charCodeAt(0) === minus ? 1 : 0;
  let mantissa = 0;
  let pointAt = none;
  for (let at = first; at < length; at++) {
    const digit = text.charCodeAt(at) - digitZero;
    if (digit >= 0 && digit <= 9) mantissa = mantissa * 10 + digit;
    else if (digit === pointFromZero && pointAt === none) pointAt = at;
    else return undefined;
  }
  const digits = length - first - (pointAt === none ? 0 : 1);
  if (digits === 0) return undefined;
  const plainInteger = pointAt === none;
  if (digits > mostExactDigits) return findLong(text, pointAt);
  const scaled = plainInteger ? mantissa : mantissa / (powersOfTen[length - 1 - pointAt] ?? Number.NaN);
  const float = first === 1 ? -scaled : scaled;
  return { kind: "number", float, integer: Number.isInteger(float) ? BigInt(float) : undefined, plainInteger };
}

function findLong(text: string, pointAt: number): ScalarNumber | undefined {
  const float = Number(text);
  if (!Number.isFinite(float)) return undefined;
  return { kind: "number", float, integer: findWhole(text, pointAt), plainInteger: pointAt === none };
}

/** Of a text of digits, maybe with a sign before and a point between them. */
function findWhole(text: string, pointAt: number): bigint | undefined {
  if (pointAt === none) return BigInt(text);
  for (let at = pointAt + 1; at < text.length; at++) if (text.charCodeAt(at) !== digitZero) return undefined;
  return text.startsWith("-") ? -BigInt(text.slice(1, pointAt)) : BigInt(text.slice(0, pointAt));
}

/** The whole rule. */
export function findAnyDecimal(text: string): ScalarNumber | undefined {
  if (text.length > maxDigits) return undefined;
  const match = decimalPattern.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  if (whole === "" && fraction === "") return undefined;
  const float = Number(text);
  if (!Number.isFinite(float)) return undefined;
  const mantissa = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  return {
    kind: "number",
    float,
    integer: scaledInteger(mantissa, Number(exponent) - fraction.length),
    plainInteger: /^[+-]?\d+$/.test(text),
  };
}

/** mantissa · 10^exponent, rounded once to a double; undefined where that is not finite or too long to compute. */
export function decimalOf(mantissa: bigint, exponent: bigint): ScalarNumber | undefined {
  if (exponent > 400n || exponent < -400n) return undefined;
  const float = Number(`${mantissa}e${exponent}`);
  if (!Number.isFinite(float)) return undefined;
  return { kind: "number", float, integer: scaledInteger(mantissa, Number(exponent)), plainInteger: false };
}

/** Without exponent, as LwM2M writes floats in text (LwM2M Core 1.1 §7.4.1). */
export function formatPlainDecimal(value: number): string {
  const shortest = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(shortest);
  if (match === null) return Object.is(value, -0) ? "-0" : shortest;
  const [, sign = "", first = "", fraction = "", exponentText = "0"] = match;
  const digits = first + fraction;
  const exponent = Number(exponentText);
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  return `${sign}${digits.padEnd(exponent + 1, "0")}`;
}

/** Undefined unless mantissa · 10^exponent is a whole number of at most about 64 bits. */
function scaledInteger(mantissa: bigint, exponent: number): bigint | undefined {
  if (mantissa === 0n) return 0n;
  if (exponent >= 0) return exponent <= maxIntegerExponent ? mantissa * 10n ** BigInt(exponent) : undefined;
  if (-exponent > maxDigits) return undefined;
  const divisor = 10n ** BigInt(-exponent);
  return mantissa % divisor === 0n ? mantissa / divisor : undefined;
}
