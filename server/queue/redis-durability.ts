/** Settings of a Redis that can lose jobs, by what `CONFIG GET` says of it. */

/** What is asked for. */
export const durabilitySettings = ["maxmemory-policy", "maxmemory", "appendonly", "save"] as const;

/** One phrase each; empty when the jobs are kept. A setting that is not told is taken to be right. */
export function findRisks(config: { readonly [name: string]: string | undefined }): readonly string[] {
  const { "maxmemory-policy": policy, appendonly, save } = config;
  const isBounded = config["maxmemory"] !== "0";
  const risks: string[] = [];
  if (policy !== undefined && policy !== "noeviction") {
    risks.push(
      isBounded
        ? `maxmemory-policy ${policy}: jobs are thrown away when memory is full (noeviction keeps them)`
        : `maxmemory-policy ${policy}: jobs are thrown away once a maxmemory is set (noeviction keeps them)`,
    );
  }
  if (appendonly === "no") {
    risks.push(
      save === ""
        ? 'appendonly no and save "": a restart loses every job (appendonly yes keeps them)'
        : "appendonly no: a crash loses the jobs since the last snapshot (appendonly yes keeps them)",
    );
  }
  return risks;
}
