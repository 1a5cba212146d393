/** From a folder of definition files to the text of the catalogue. */
import { encodeDefinition } from "./catalogue-format.ts";
import { DdfFormatError } from "./ddf-format-error.ts";
import { parseDdf } from "./ddf-parser.ts";
import { compareVersions } from "./object-version.ts";

export interface DefinitionFile {
  /** Relative to the folder, for messages. */
  readonly name: string;
  readonly xml: string;
}

export interface BuiltCatalogue {
  readonly text: string;
  /** Object versions in it. */
  readonly count: number;
  /** Files of the folder that define no object: the list of objects, the units, the reusable resources. */
  readonly skipped: readonly string[];
}

/** Throws `DdfFormatError`, the file named, for a broken file and for two files that define one version differently. */
export function buildCatalogue(files: readonly DefinitionFile[]): BuiltCatalogue {
  const lines = new Map<string, { readonly id: number; readonly version: string; readonly file: string; readonly line: string }>();
  const skipped: string[] = [];
  for (const { name: file, xml } of files) {
    if (!/\bObjectType\s*=\s*["']MODefinition["']/.test(xml)) {
      skipped.push(file);
      continue;
    }
    for (const definition of parseNamed(file, xml)) {
      const { id, version } = definition;
      const line = encodeDefinition(definition);
      const known = lines.get(`${id}/${version}`);
      if (known !== undefined && known.line !== line)
        throw new DdfFormatError("definition", `object ${id} version ${version}: ${known.file} and ${file} differ`);
      if (known === undefined) lines.set(`${id}/${version}`, { id, version, file, line });
    }
  }
  const sorted = [...lines.values()].sort((a, b) => a.id - b.id || compareVersions(a.version, b.version));
  return { text: sorted.map(({ line }) => `${line}\n`).join(""), count: sorted.length, skipped };
}

function parseNamed(file: string, xml: string): ReturnType<typeof parseDdf> {
  try {
    return parseDdf(xml);
  } catch (error) {
    throw error instanceof DdfFormatError ? new DdfFormatError(error.code, `${file}: ${error.message}`) : error;
  }
}
