import { writeSync } from 'node:fs';
import { printFailure } from './fail.ts';

const STANDARD_OUTPUT = 1;

/** Bytes that are collected before they are written. */
const BUFFER_BYTES = 256 * 1024;

/** How long to wait for the reader of a pipe that is full, when the pipe itself does not wait. */
const WAIT_MS = 1;

/** Exit code of a command that could not do its work. */
const EXIT_TROUBLE = 2;

/**
 * Standard output for commands that write much of it. It waits for a slow reader, which process.stdout
 * does not.
 */
export class Output<Code extends number = 0> {
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  readonly #fd: number;
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));
  #used = 0;
  /** The exit code when nobody reads any more: what was found counts. */
  codeWhenClosed: Code | 0 = 0;

  constructor(fd: number = STANDARD_OUTPUT) {
    this.#fd = fd;
  }

  /** @throws What the system throws, such as EPIPE when nobody reads any more. */
  write(bytes: Uint8Array): void {
    if (this.#used + bytes.length > BUFFER_BYTES) this.flush();
    if (bytes.length > BUFFER_BYTES) {
      this.#writeAll(bytes);
      return;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  line(text: string): void {
    this.write(Buffer.from(`${text}\n`));
  }

  flush(): void {
    const used = this.#used;
    this.#used = 0;
    this.#writeAll(this.#buffer.subarray(0, used));
  }

  #writeAll(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      try {
        done += writeSync(this.#fd, bytes, done);
      } catch (error) {
        // Whoever shares the pipe has set it not to wait.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        Atomics.wait(this.#pause, 0, 0, WAIT_MS);
      }
    }
  }
}

/**
 * Runs a command that writes to standard output. That nobody reads any more is an end like any other.
 *
 * @param troubleCode The exit code when `work` throws, with a line that says why.
 * @returns The exit code.
 */
export async function withOutput<Code extends number>(
  work: (output: Output<Code>) => Promise<Code>,
  troubleCode: Code | typeof EXIT_TROUBLE = EXIT_TROUBLE,
): Promise<Code | 0 | typeof EXIT_TROUBLE> {
  const output = new Output<Code>();
  try {
    const code = await work(output);
    output.codeWhenClosed = code;
    output.flush();
    return code;
  } catch (error) {
    // As in `goromdb check FILE | head -1` with pipefail.
    if (isClosed(error)) return output.codeWhenClosed;
    try {
      output.flush();
    } catch {
      // What went wrong first is reported.
    }
    printFailure(error);
    return troubleCode;
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}
