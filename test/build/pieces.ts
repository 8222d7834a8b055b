/** The bytes in pieces of these lengths, again and again. */
export function* piecesOf(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = at + lengths[i % lengths.length];
    // A piece is lent: its memory is written over.
    const piece = Buffer.from(bytes.subarray(at, end));
    yield piece;
    piece.fill(0xff);
    at = end;
  }
}
