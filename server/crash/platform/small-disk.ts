/** A file system of a few megabytes in memory, which fills up and can be made read-only; Linux, and the rights to mount. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class SmallDisk {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Undefined where this process may not mount. */
  static open(sizeBytes: number): SmallDisk | undefined {
    const path = mkdtempSync(join(tmpdir(), "small-disk-"));
    if (succeeds("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes},mode=700`, "tmpfs", path])) return new SmallDisk(path);
    rmdirSync(path);
    return undefined;
  }

  resize(sizeBytes: number): void {
    this.#remount(`size=${sizeBytes}`);
  }

  makeReadOnly(): void {
    this.#remount("ro");
  }

  makeWritable(): void {
    this.#remount("rw");
  }

  close(): void {
    // Lazily: a process that is just ending may still hold a file.
    succeeds("umount", ["-l", this.path]);
    rmdirSync(this.path);
  }

  #remount(settings: string): void {
    if (!succeeds("mount", ["-o", `remount,${settings}`, this.path])) throw new Error(`${this.path} could not be remounted ${settings}`);
  }
}

function succeeds(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}
