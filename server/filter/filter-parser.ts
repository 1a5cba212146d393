/**
 * The text of a filter: the part of RSQL (https://github.com/jirutka/rsql-parser, after draft-nottingham-atompub-fiql-00) that fields
 * of devices need. Every fault says where it stands.
 *
 *   or         = and *( "," and )
 *   and        = term *( ";" term )
 *   term       = "(" or ")" | field operator value
 *   operator   = "==" | "!=" | "<" | "<=" | ">" | ">=" | "=lt=" | "=le=" | "=gt=" | "=ge=" | "=in=" | "=out="
 *   value      = text | "(" text *( "," text ) ")"     the latter after =in= and =out=
 *   text       = 1*unreserved | "'" … "'" | '"' … '"'   a backslash in quotes takes the next character as it is; a `*` at the end: whatever follows
 */
import { findInstant } from "@lwm2m/protocol/platform/instant";
import type { Comparison, Condition, Fields, FieldType, Scalar } from "./filter.ts";

export type FilterReading = { readonly ok: true; readonly condition: Condition } | { readonly ok: false; readonly fault: FilterFault };

export interface FilterFault {
  /** From 1, in characters. */
  readonly position: number;
  /** The field that is compared there; undefined where none is. */
  readonly field?: string;
  readonly detail: string;
}

/** A filter is written by people: what is longer is no filter. */
export const filterLimits = { characters: 2_048, comparisons: 50, values: 100, depth: 8 } as const;

const operators = ["==", "!=", "=in=", "=out=", "=lt=", "=le=", "=gt=", "=ge=", "<=", ">=", "<", ">"] as const;
type Operator = (typeof operators)[number];

const comparisons: { readonly [operator: string]: Comparison } = {
  ...{ "<": "<", "<=": "<=", ">": ">", ">=": ">=" },
  ...{ "=lt=": "<", "=le=": "<=", "=gt=": ">", "=ge=": ">=" },
};

interface Text {
  readonly text: string;
  /** With a `*` behind it. */
  readonly isBeginning: boolean;
  readonly at: number;
}

export function parseFilter(text: string, fields: Fields): FilterReading {
  try {
    const parser = new FilterParser(text, fields);
    return { ok: true, condition: parser.whole() };
  } catch (error) {
    if (error instanceof FilterSyntaxError) return { ok: false, fault: error.fault };
    throw error;
  }
}

class FilterSyntaxError extends Error {
  readonly fault: FilterFault;

  constructor(fault: FilterFault) {
    super(fault.detail);
    this.fault = fault;
  }
}

class FilterParser {
  readonly #text: string;
  readonly #fields: Fields;
  #at = 0;
  #comparisons = 0;

  constructor(text: string, fields: Fields) {
    this.#text = text;
    this.#fields = fields;
    if (text.length > filterLimits.characters) this.#fail(`${text.length} characters, at most ${filterLimits.characters}`, 0);
  }

  whole(): Condition {
    const condition = this.#or(0);
    if (this.#at < this.#text.length) this.#expected("; or , or the end");
    return condition;
  }

  #or(depth: number): Condition {
    return this.#joined("or", ",", () => this.#joined("and", ";", () => this.#term(depth)));
  }

  #joined(kind: "and" | "or", divider: string, part: () => Condition): Condition {
    const conditions = [part()];
    while (this.#takes(divider)) conditions.push(part());
    const [only] = conditions;
    return only !== undefined && conditions.length === 1 ? only : { kind, conditions };
  }

  #term(depth: number): Condition {
    this.#skipSpace();
    if (!this.#takes("(")) return this.#comparison();
    if (depth >= filterLimits.depth) this.#fail(`brackets within brackets, ${filterLimits.depth} deep at most`);
    const condition = this.#or(depth + 1);
    if (!this.#takes(")")) this.#expected(")");
    return condition;
  }

  #comparison(): Condition {
    this.#comparisons += 1;
    if (this.#comparisons > filterLimits.comparisons) this.#fail(`more than ${filterLimits.comparisons} comparisons`);
    const at = this.#at;
    const [field] = /^[A-Za-z_][\w.]*/.exec(this.#text.slice(at)) ?? [];
    if (field === undefined) return this.#expected("the name of a field, or (");
    const type = Object.hasOwn(this.#fields, field) ? this.#fields[field] : undefined;
    if (type === undefined) {
      this.#fail(`there is no field ${JSON.stringify(field)}; the fields are ${Object.keys(this.#fields).join(", ")}`, at, field);
    }
    this.#at += field.length;
    this.#skipSpace();
    const operatorAt = this.#at;
    const operator = operators.find((each) => this.#text.startsWith(each, operatorAt));
    if (operator === undefined) return this.#expected(`one of ${operators.join(" ")}`, field);
    this.#at += operator.length;
    const texts = operator === "=in=" || operator === "=out=" ? this.#list(field) : [this.#value(field)];
    return this.#condition({ field, type, operator, operatorAt }, texts);
  }

  #condition(
    {
      field,
      type,
      operator,
      operatorAt,
    }: { readonly field: string; readonly type: FieldType; readonly operator: Operator; readonly operatorAt: number },
    texts: readonly Text[],
  ): Condition {
    const by = comparisons[operator];
    const not = operator === "!=" || operator === "=out=";
    const [first] = texts;
    if (by !== undefined && type !== "number" && type !== "time") {
      this.#fail(`${field} is no number and no time: it takes == != =in= =out=`, operatorAt, field);
    }
    const isText = type === "text" || type === "texts";
    const beginning = texts.find(({ isBeginning }) => isBeginning);
    if (beginning !== undefined && (!isText || texts.length > 1 || operator === "=in=" || operator === "=out="))
      this.#fail("* stands for what follows in a text, after == and != only", beginning.at, field);
    if (first?.isBeginning === true) return { kind: "begins", field, text: first.text, not };
    const values = texts.map((text) => this.#scalar(text, type, field));
    const [value] = values;
    if (by !== undefined && typeof value === "number") return { kind: "compares", field, by, value };
    return { kind: "equals", field, values, not };
  }

  #scalar({ text, at }: Text, type: FieldType, field: string): Scalar {
    switch (type) {
      case "text":
      case "texts":
        return text;
      case "boolean":
        return text === "true"
          ? true
          : text === "false"
            ? false
            : this.#fail(`got ${JSON.stringify(text)}, expected true or false`, at, field);
      case "number":
        return /^-?\d{1,15}(\.\d{1,15})?$/.test(text)
          ? Number(text)
          : this.#fail(`got ${JSON.stringify(text)}, expected a number`, at, field);
      case "time":
        return findInstant(text) ?? this.#fail(`got ${JSON.stringify(text)}, expected a time such as 2026-01-31T12:00:00Z`, at, field);
    }
  }

  #list(field: string): readonly Text[] {
    this.#skipSpace();
    if (!this.#takes("(")) this.#expected("( and values", field);
    const texts = [this.#value(field)];
    while (this.#takes(",")) texts.push(this.#value(field));
    if (texts.length > filterLimits.values) this.#fail(`${texts.length} values, at most ${filterLimits.values}`, undefined, field);
    if (!this.#takes(")")) this.#expected(", or )", field);
    return texts;
  }

  #value(field: string): Text {
    this.#skipSpace();
    const at = this.#at;
    const quote = this.#text[at];
    if (quote === "'" || quote === '"') return { ...this.#quoted(quote, field), at };
    const [bare] = /^[^"'();,=!~<>\s]+/.exec(this.#text.slice(at)) ?? [];
    if (bare === undefined) return this.#expected("a value", field);
    this.#at += bare.length;
    const star = bare.indexOf("*");
    if (star >= 0 && star < bare.length - 1) this.#fail("* stands at the end of a value only; in quotes \\* is a star", at + star, field);
    return star < 0 ? { text: bare, isBeginning: false, at } : { text: bare.slice(0, -1), isBeginning: true, at };
  }

  #quoted(quote: string, field: string): Omit<Text, "at"> {
    const openedAt = this.#at;
    let text = "";
    let isBeginning = false;
    for (this.#at += 1; this.#text[this.#at] !== quote; this.#at += 1) {
      const next = this.#text[this.#at];
      if (next === undefined) this.#fail(`${quote} is not closed`, openedAt, field);
      if (isBeginning) this.#fail("* stands at the end of a value only; in quotes \\* is a star", this.#at - 1, field);
      if (next === "*") isBeginning = true;
      else if (next !== "\\") text += next;
      else {
        this.#at += 1;
        text += this.#text[this.#at] ?? "";
      }
    }
    this.#at += 1;
    return { text, isBeginning };
  }

  #takes(symbol: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== symbol) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    while (this.#text[this.#at] === " ") this.#at += 1;
  }

  #expected(what: string, field?: string): never {
    this.#skipSpace();
    const got = this.#at >= this.#text.length ? "the end" : JSON.stringify(this.#text[this.#at]);
    return this.#fail(`got ${got}, expected ${what}`, this.#at, field);
  }

  #fail(detail: string, at = this.#at, field?: string): never {
    throw new FilterSyntaxError({ position: at + 1, ...(field === undefined ? {} : { field }), detail });
  }
}
