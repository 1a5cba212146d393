/**
 * XML to plain elements, for files a stranger may upload. No DOCTYPE is read at all, so there are no entities but the five
 * predefined and numeric ones; size and depth are bounded.
 */
import { XMLParser, XMLValidator } from "fast-xml-parser";
import { DdfFormatError } from "./ddf-format-error.ts";

export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Text and CDATA directly inside, joined. */
  readonly text: string;
  /** Where it begins, counted from 1. */
  readonly line: number;
  /** `/LWM2M/Object[1]/Name`: numbered from 1 among its siblings of the same name, a lone one without a number. */
  readonly path: string;
}

const limits = {
  /** Characters of one file; the largest published one has 87,000. The worst file of this length holds the server up for half a second. */
  maxCharacters: 500_000,
  /** The schemas nest five deep: LWM2M, Object, Resources, Item, Type. */
  maxDepth: 16,
  /** Characters of a message of the library: it may quote the file. */
  maxMessage: 200,
} as const;

/** The root element. Throws `DdfFormatError` for what is too large or not well-formed. */
export function readXml(xml: string): XmlElement {
  if (xml.length > limits.maxCharacters)
    throw new DdfFormatError("limit", `the file has ${xml.length} characters, at most ${limits.maxCharacters}`);
  // Line ends as the library makes them (XML 1.0 §2.11), so that its positions are those of this text.
  const source = (xml.startsWith("\uFEFF") ? xml.slice(1) : xml).replace(/\r\n?/g, "\n");
  // Entities can only be declared in a DOCTYPE: without one there is nothing to expand and nothing to fetch.
  if (/<!\s*DOCTYPE/i.test(source)) throw new DdfFormatError("xml", "a DOCTYPE is not allowed");
  const verdict = XMLValidator.validate(source);
  if (verdict !== true) {
    const { line, col, msg } = verdict.err;
    throw new DdfFormatError("xml", [{ detail: `line ${line}, column ${col}: ${msg.slice(0, limits.maxMessage)}`, line }]);
  }
  const roots = elementsOf(parseTree(source), "", lineCounter(source)).children.filter((element) => !element.name.startsWith("?"));
  const root = roots[0];
  if (root === undefined || roots.length > 1) throw new DdfFormatError("xml", `${roots.length} root elements, expected one`);
  return root;
}

const attributesKey = ":@";
const textKey = "#text";

function parseTree(source: string): unknown {
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: "",
    parseTagValue: false,
    parseAttributeValue: false,
    trimValues: false,
    processEntities: true,
    captureMetaData: true,
    htmlEntities: false,
    maxNestedTags: limits.maxDepth,
  });
  try {
    return parser.parse(source);
  } catch (error) {
    // The library throws a plain Error for every fault of the document; it does no input or output of its own.
    throw new DdfFormatError("xml", (error instanceof Error ? error.message : String(error)).slice(0, limits.maxMessage));
  }
}

const metaKey = XMLParser.getMetaDataSymbol().valueOf();

/** The ordered tree of the library: `[{ "Name": [{ "#text": "…" }], ":@": { "ID": "3" } }]`. */
function elementsOf(nodes: unknown, path: string, lineAt: LineCounter): Pick<XmlElement, "children" | "text"> {
  const list: readonly object[] = Array.isArray(nodes) ? nodes : [];
  const totals = new Map<string, number>();
  for (const node of list) for (const key of Object.keys(node)) totals.set(key, (totals.get(key) ?? 0) + 1);
  const counts = new Map<string, number>();
  const children: XmlElement[] = [];
  let text = "";
  for (const node of list) {
    const line = lineAt(startOf(node));
    for (const [name, value] of Object.entries(node)) {
      if (name === textKey) text += String(value);
      if (name === textKey || name === attributesKey) continue;
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      const here = `${path}/${name}${totals.get(name) === 1 ? "" : `[${count}]`}`;
      children.push({ name, attributes: attributesOf(node), line, path: here, ...elementsOf(value, here, lineAt) });
    }
  }
  return { children, text };
}

/** Where an element begins in the file; text has no place of its own. */
function startOf(node: object): number {
  const meta: unknown = Reflect.get(node, metaKey);
  const start: unknown = typeof meta === "object" && meta !== null ? Reflect.get(meta, "startIndex") : undefined;
  return typeof start === "number" ? start : 0;
}

type LineCounter = (index: number) => number;

/** Elements are asked for in the order of the file: each line end is passed once. */
function lineCounter(source: string): LineCounter {
  let line = 1;
  let next = source.indexOf("\n");
  return (index) => {
    while (next !== -1 && next < index) {
      line += 1;
      next = source.indexOf("\n", next + 1);
    }
    return line;
  };
}

function attributesOf(node: object): ReadonlyMap<string, string> {
  const attributes: unknown = Reflect.get(node, attributesKey);
  if (typeof attributes !== "object" || attributes === null) return new Map();
  return new Map(Object.entries(attributes).map(([name, value]) => [name, String(value)]));
}
