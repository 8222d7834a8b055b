import { RecordPlaces } from '../loader/worker/record-places.ts';

/** What the numbers of places count: lines of a text, rows of Parquet, or bytes of another format. */
type Unit = 'line' | 'row' | 'byte';

interface InputPlace {
  readonly input: string;
  /** The number of its first record, of all inputs. */
  readonly from: number;
  readonly places: RecordPlaces;
  unit: Unit;
}

/** Remembers where in which input each record lies, so that a message can say so later. */
export class InputPlaces {
  readonly #inputs: InputPlace[] = [];

  /** @param from How many records there were in the inputs before. */
  begin(input: string, from: number): void {
    this.#inputs.push({ input, from, places: new RecordPlaces(), unit: 'byte' });
  }

  /** Notes the place of the next record. @param place Not below the one before in this input. */
  add(unit: Unit, place: number): void {
    const input = this.#inputs.at(-1);
    if (input === undefined) return;
    input.unit = unit;
    input.places.add(place);
  }

  /** The place of a record, by its number of all inputs from 0 on; of some formats only the input. */
  describe(record: number): string {
    const found = this.#inputs.findLast(({ from }) => from <= record);
    if (found === undefined) return '';
    const place = found.places.offsetOf(record - found.from);
    return place === undefined
      ? `in ${found.input}`
      : `at ${found.unit} ${place} of ${found.input}`;
  }
}
