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

const decimalPattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/;

/** Reads JSON numbers and their lenient kin (`+5`, `.5`, `5.`); undefined when the text is no decimal number or no finite double. */
export function findDecimal(text: string): ScalarNumber | undefined {
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
