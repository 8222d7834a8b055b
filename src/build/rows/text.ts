import { GoromdbError } from '../../common/errors.ts';

/** Pieces of a text or of a file, each valid until the next one is asked for. */
export type Chunks = AsyncIterable<Uint8Array>;

/** Decodes a piece of a text; without one, its end. */
type Decode = (chunk?: Uint8Array) => Uint8Array;

/** What begins with the byte order mark of UTF-16 (RFC 2781 section 3.2), as UTF-8; else as it is. */
export async function* utf8Of(path: string, chunks: Chunks): Chunks {
  let decode: Decode | undefined;
  let head = Buffer.alloc(0);
  let isBegun = false;
  for await (const chunk of chunks) {
    if (isBegun) {
      yield decode === undefined ? chunk : decode(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < 3) continue;
    isBegun = true;
    decode = decoderOf(path, head);
    yield decode === undefined ? withoutMark(head) : decode(head);
  }
  if (!isBegun) yield head;
  if (decode !== undefined) yield decode();
}

function decoderOf(path: string, [first, second]: Uint8Array): Decode | undefined {
  const isLittle = first === 0xff && second === 0xfe;
  if (!isLittle && !(first === 0xfe && second === 0xff)) return undefined;
  const decoder = new TextDecoder(isLittle ? 'utf-16le' : 'utf-16be', { fatal: true });
  return (chunk) => {
    try {
      return Buffer.from(decoder.decode(chunk, { stream: chunk !== undefined }));
    } catch (cause) {
      const message = `${path}: expected UTF-16, as its byte order mark says; found bytes that are none`;
      throw new GoromdbError('DATA_CORRUPT', message, { cause });
    }
  };
}

function withoutMark(head: Uint8Array): Uint8Array {
  return head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? head.subarray(3) : head;
}
