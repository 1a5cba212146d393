/** Address templates of routes: `/devices/{endpoint}`, `/operations/{id}:cancel`, `/devices/{endpoint}/resources/{path...}/observation`. */

export interface RoutePattern {
  /** Equal for two templates that match the same addresses. */
  readonly shape: string;
  readonly parameters: readonly string[];
  /** Parameters by name, decoded once; undefined when the address is another; `malformed` when a percent escape is none. */
  match(path: string): { readonly [name: string]: string } | "malformed" | undefined;
  /** Sorts before what is less specific: fixed text first, then a verb behind a parameter, then `{path...}`. */
  readonly sortKey: string;
}

const parameterForm = /\{([a-zA-Z]+)(\.\.\.)?\}/g;

/**
 * The address is matched as it was sent and decoded after: a `:` of the template is a plain one, so an endpoint name that happens to end
 * in `:cancel` is written with `%3A`, as encodeURIComponent does.
 */
export function routePattern(template: string): RoutePattern {
  const parameters: string[] = [];
  const source = template
    .split(parameterForm)
    .map((part, i) => {
      // split() yields fixed text, name, dots, fixed text, name, dots, ...
      if (i % 3 === 0) return escapeText(part ?? "");
      if (i % 3 === 1) {
        parameters.push(part ?? "");
        return "";
      }
      return part === undefined ? "([^/]+)" : "(.+)";
    })
    .join("");
  const expression = new RegExp(`^${source}$`);
  return {
    shape: source,
    parameters,
    sortKey: sortKeyOf(template),
    match(path) {
      const found = expression.exec(path);
      if (found === null) return undefined;
      const values: { [name: string]: string } = {};
      for (const [i, name] of parameters.entries()) {
        const value = decode(found[i + 1] ?? "");
        if (value === undefined) return "malformed";
        values[name] = value;
      }
      return values;
    },
  };
}

function escapeText(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function decode(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** One character per segment, "z" at the end: of two templates that agree so far the longer one is the more specific. */
function sortKeyOf(template: string): string {
  const segments = template.split("/").slice(1);
  const rank = (segment: string): string => {
    if (!segment.includes("{")) return "a";
    const hasVerb = !segment.endsWith("}");
    if (segment.includes("...}")) return hasVerb ? "d" : "e";
    return hasVerb ? "b" : "c";
  };
  return `${segments.map(rank).join("")}z`;
}
