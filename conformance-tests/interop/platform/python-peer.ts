/** The Python programs of `interop/peers/python`: one JSON object a line each way. */
import { join } from "node:path";
import { Child } from "./child.ts";
import { pythonDirectory, pythonSources } from "./locations.ts";

export type PythonObject = { readonly [name: string]: unknown };

const answerTimeoutMs = 30_000;

export class PythonPeer {
  readonly child: Child;
  #commands = 0;

  /** `program`: `coap_peer.py`, `cbor_oracle.py`. */
  constructor(program: string) {
    this.child = new Child(program, join(pythonDirectory, "bin/python"), [join(pythonSources, program)], {
      env: { PYTHONDONTWRITEBYTECODE: "1" },
    });
  }

  async started(): Promise<this> {
    await this.child.says('{"ready"', answerTimeoutMs);
    return this;
  }

  /** The answer to a command, and the number it was sent under; throws what the program says of a failure. */
  async ask(command: PythonObject): Promise<{ readonly id: number; readonly ok: PythonObject }> {
    const id = ++this.#commands;
    const { mark } = this.child;
    this.child.write(JSON.stringify({ ...command, id }));
    const prefix = `{"id": ${id}, `;
    const line = await this.child.says(prefix, answerTimeoutMs, mark);
    const answer = objectOf(JSON.parse(line));
    if (answer["error"] !== undefined) throw new Error(`${this.child.name}, ${String(command["do"])}: ${String(answer["error"])}`);
    return { id, ok: objectOf(answer["ok"]) };
  }

  /** What was told without being asked about the command of that number, so far. */
  told(id: number): PythonObject[] {
    const prefix = `{"watch": ${id}, `;
    return this.child.stdout.filter((line) => line.startsWith(prefix)).map((line) => objectOf(JSON.parse(line)));
  }

  async stop(): Promise<void> {
    await this.child.stop();
  }
}

export function objectOf(value: unknown): PythonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`expected an object, got ${JSON.stringify(value)}`);
  // Checked just above: an object that is no array has string keys.
  return value as PythonObject;
}

export function textOf(object: PythonObject, name: string): string {
  const value = object[name];
  if (typeof value !== "string") throw new Error(`${name}: expected text, got ${JSON.stringify(value)}`);
  return value;
}

export function numberOf(object: PythonObject, name: string): number {
  const value = object[name];
  if (typeof value !== "number") throw new Error(`${name}: expected a number, got ${JSON.stringify(value)}`);
  return value;
}
