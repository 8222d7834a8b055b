import type { Reading } from './once.ts';

type Read = (key: Buffer) => Promise<Reading>;

/** One question for all who ask for a key at one time. */
export function shared(read: Read): Read {
  const flights = new Map<string, Promise<Reading>>();

  const start = (name: string, key: Buffer): Promise<Reading> => {
    const flight = read(key).finally(() => flights.delete(name));
    flights.set(name, flight);
    return flight;
  };

  return async (key) => {
    const name = key.toString('latin1');
    const running = flights.get(name);
    if (running !== undefined) {
      const reading = await running;
      // It began before this read: the key may have been created in between.
      if (reading.kind !== 'absent') return reading;
    }
    return flights.get(name) ?? start(name, key);
  };
}
