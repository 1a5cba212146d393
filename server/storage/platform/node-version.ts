/** Which Node runs this: the one place that asks. */
export function nodeMajorVersion(): number {
  return Number.parseInt(process.versions.node, 10);
}
