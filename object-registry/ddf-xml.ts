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
}

const limits = {
  /** Characters of one file; the largest published one has 87,000. */
  maxCharacters: 2_000_000,
  /** The schemas nest five deep: LWM2M, Object, Resources, Item, Type. */
  maxDepth: 16,
} as const;

/** The root element. Throws `DdfFormatError` for what is too large or not well-formed. */
export function readXml(xml: string): XmlElement {
  if (xml.length > limits.maxCharacters)
    throw new DdfFormatError("limit", `the file has ${xml.length} characters, at most ${limits.maxCharacters}`);
  const source = xml.startsWith("\uFEFF") ? xml.slice(1) : xml;
  // Entities can only be declared in a DOCTYPE: without one there is nothing to expand and nothing to fetch.
  if (/<!\s*DOCTYPE/i.test(source)) throw new DdfFormatError("xml", "a DOCTYPE is not allowed");
  const verdict = XMLValidator.validate(source);
  if (verdict !== true) throw new DdfFormatError("xml", `line ${verdict.err.line}, column ${verdict.err.col}: ${verdict.err.msg}`);
  const roots = elementsOf(parseTree(source)).children.filter((element) => !element.name.startsWith("?"));
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
    htmlEntities: false,
    maxNestedTags: limits.maxDepth,
  });
  try {
    return parser.parse(source);
  } catch (error) {
    // The library throws a plain Error for every fault of the document; it does no input or output of its own.
    throw new DdfFormatError("xml", error instanceof Error ? error.message : String(error));
  }
}

/** The ordered tree of the library: `[{ "Name": [{ "#text": "…" }], ":@": { "ID": "3" } }]`. */
function elementsOf(nodes: unknown): { readonly children: readonly XmlElement[]; readonly text: string } {
  const children: XmlElement[] = [];
  let text = "";
  for (const node of Array.isArray(nodes) ? nodes : []) {
    for (const [key, value] of Object.entries(node)) {
      if (key === textKey) text += String(value);
      else if (key !== attributesKey) children.push({ name: key, attributes: attributesOf(node), ...elementsOf(value) });
    }
  }
  return { children, text };
}

function attributesOf(node: object): ReadonlyMap<string, string> {
  const attributes: unknown = Reflect.get(node, attributesKey);
  if (typeof attributes !== "object" || attributes === null) return new Map();
  return new Map(Object.entries(attributes).map(([name, value]) => [name, String(value)]));
}
