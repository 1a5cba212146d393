/** Where a text stops being JSON (RFC 8259): `JSON.parse` of Node 20 often names no position. Used on refused bodies only. */

export interface JsonFault {
  /** UTF-16 code units from the start of the text. */
  readonly offset: number;
  readonly expected: string;
}

const whitespace = /[ \t\n\r]*/y;
const string = /"(?:[ !#-[\]-\u{10ffff}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const scalar = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.])/y;

/** Undefined when the text is JSON after all. */
export function findJsonFault(text: string): JsonFault | undefined {
  const open: ("{" | "[")[] = [];
  let offset = 0;
  const take = (form: RegExp): boolean => {
    form.lastIndex = offset;
    if (!form.test(text)) return false;
    offset = form.lastIndex;
    return true;
  };
  const skip = (character: string): boolean => {
    take(whitespace);
    if (text[offset] !== character) return false;
    offset += 1;
    return true;
  };
  /** A member name with its colon. */
  const member = (): string | undefined => {
    take(whitespace);
    if (!take(string)) return "a member name in double quotes";
    return skip(":") ? undefined : "a colon";
  };
  for (;;) {
    // A value begins here.
    if (skip("[")) {
      open.push("[");
      if (!skip("]")) continue;
      open.pop();
    } else if (skip("{")) {
      open.push("{");
      if (!skip("}")) {
        const expected = member();
        if (expected !== undefined) return { offset, expected };
        continue;
      }
      open.pop();
    } else if (!take(string) && !take(scalar)) return { offset, expected: "a value" };
    // A value ended here.
    while (open.length > 0 && skip(open.at(-1) === "[" ? "]" : "}")) open.pop();
    const inside = open.at(-1);
    if (inside === undefined) {
      take(whitespace);
      return offset === text.length ? undefined : { offset, expected: "the end of the text" };
    }
    if (!skip(",")) return { offset, expected: inside === "[" ? "a comma or ]" : "a comma or }" };
    if (inside === "{") {
      const expected = member();
      if (expected !== undefined) return { offset, expected };
    }
  }
}
