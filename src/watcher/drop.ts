import type { FileIdentity } from '../common/file-identity.ts';

/** A file and the MD5 that was dropped with it, not yet verified. */
export interface Drop {
  /** Absolute path of the file. */
  readonly file: string;
  /** Absolute path of its sum file. */
  readonly sumFile: string;
  /** The MD5 in the sum file: 32 lower-case hexadecimal digits. */
  readonly md5: string;
  /** The file as it was, without opening it, before the sum file was read. */
  readonly identity: FileIdentity;
  /** A mark overrides the guards. */
  readonly force: boolean;
  /**
   * The file or its sum file is a symbolic link, or has a second name: whoever put it there may not be
   * allowed to read it. Its content is shown to nobody before it serves.
   */
  readonly isLinked: boolean;
}

/** The outcome of an offered drop. */
export type Verdict =
  /** Loaded and moved away. */
  | { readonly kind: 'taken' }
  /** Bad, and quarantined or not movable: it is not offered again until something changes. */
  | { readonly kind: 'rejected' }
  /** The file's MD5 is `found`, not the one in the sum file. */
  | { readonly kind: 'mismatch'; readonly found: string }
  /** The file changed while it was read. */
  | { readonly kind: 'changed' };
