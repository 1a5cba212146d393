/** What an upload does to the names that stand for objects in paths: the lowest id of equal names keeps the plain one. */
import type { DdfFault } from "@lwm2m/object-registry/ddf-format-error";
import type { ObjectRegistry } from "@lwm2m/object-registry/definition";
import { pathNames } from "@lwm2m/object-registry/names";
import { pathOf } from "@lwm2m/protocol/lwm2m/path";

/** One for each object known before whose paths are written differently after. */
export function nameWarnings(before: ObjectRegistry, after: ObjectRegistry): readonly DdfFault[] {
  const [old, now] = [pathNames(before), pathNames(after)];
  return before.list().flatMap(({ id }): readonly DdfFault[] => {
    const [was, is] = [old.format(pathOf([id])), now.format(pathOf([id]))];
    return was === is ? [] : [{ detail: `paths of object ${id} that begin with ${was} begin with ${is} from then on` }];
  });
}
