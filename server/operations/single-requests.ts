/** A composite operation that was carried out in plain ones, as one result again. Pure. */
import { formatCode, ResponseCode } from "@lwm2m/protocol/coap/codes";
import { type CompositePath, compositeText } from "@lwm2m/protocol/lwm2m/senml-etch";
import { missingOf } from "./missing-paths.ts";
import type { Finish } from "./operation-answer.ts";

export interface SingleAnswer {
  readonly paths: readonly CompositePath[];
  readonly finish: Finish;
}

const contentCode = formatCode(ResponseCode.content);
const why = "the device takes no composite requests";

/** `asked`: the paths of a Read-Composite; none of a Write-Composite, which is one Write then. */
export function joinAnswers(asked: readonly string[], answers: readonly SingleAnswer[]): Finish {
  const [first] = answers;
  if (asked.length === 0 && first !== undefined) return { ...first.finish, detail: first.finish.detail ?? `${why}: written by itself` };
  const values = answers.flatMap(({ finish }) => (finish.result?.kind === "values" ? finish.result.values : []));
  const refused = answers.flatMap(({ paths, finish }) => (finish.reason === null ? [] : [refusalOf(paths, finish)]));
  const left = answers.flatMap(({ finish }) => (finish.reason === null && finish.detail !== null ? [finish.detail] : []));
  const detail = [`${why}: read one by one`, ...refused.slice(0, toldRefusals), ...left.slice(0, toldRefusals)].join("; ");
  return {
    result: { kind: "values", values, ...missingOf(asked, values) },
    reason: null,
    coapCode: first?.finish.coapCode ?? contentCode,
    detail,
  };
}

/** Refusals told of one operation: the paths that are missing are all named anyway. */
const toldRefusals = 5;

function refusalOf(paths: readonly CompositePath[], { coapCode, detail }: Finish): string {
  const target = paths.map(compositeText).join(", ");
  return `${target}: ${coapCode}${detail === null ? "" : ` ${detail}`}`;
}
