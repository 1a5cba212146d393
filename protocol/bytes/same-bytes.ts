/** Whether two byte strings are equal. For what is no secret: it stops at the first difference. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  const { length } = one;
  if (other.length !== length) return false;
  for (let i = 0; i < length; i++) {
    if (one[i] !== other[i]) return false;
  }
  return true;
}
