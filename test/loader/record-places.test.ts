import { expect, test } from 'vitest';
import { RecordPlaces } from '../../src/loader/worker/record-places.ts';

test('reports the place of any record, whatever lies between them', () => {
  const places = new RecordPlaces();
  const distances = [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 33, 2 ** 45, 5];
  const offsets: number[] = [];
  let offset = 0;
  for (let round = 0; round < 60_000; round++) {
    // The longest distances only now and then, so that the sum stays exact.
    offset += distances[round % 1000 === 0 ? (round / 1000) % 10 : round % 6];
    offsets.push(offset);
    places.add(offset);
  }
  for (let record = 0; record < offsets.length; record += 997) {
    expect(places.offsetOf(record)).toBe(offsets[record]);
  }
  expect(places.offsetOf(0)).toBe(offsets[0]);
  expect(places.offsetOf(offsets.length - 1)).toBe(offsets.at(-1));
  expect(places.offsetOf(offsets.length)).toBeUndefined();
});

test('holds more records than one piece of its memory holds', () => {
  const places = new RecordPlaces();
  const count = 1_500_000;
  for (let record = 0; record < count; record++) places.add(record * 100);
  for (const record of [0, 1_048_567, 1_048_568, 1_048_569, 1_048_576, count - 1]) {
    expect(places.offsetOf(record)).toBe(record * 100);
  }
});

test('knows nothing when nothing was added', () => {
  expect(new RecordPlaces().offsetOf(0)).toBeUndefined();
});
