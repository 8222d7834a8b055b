import type { DataSetStatus, Status } from '../common/status.ts';

/** What a caller asks of the data, beside that all data sets serve. */
export interface Wanted {
  /** Oldest age of what serves. */
  readonly freshMs?: number | undefined;
  /** Of a dropped file that must serve, in lower-case hex. */
  readonly md5?: string | undefined;
}

/** Why a server is not ready. */
export interface Lack {
  readonly code: 'CLOSING' | 'NO_DATA' | 'TOO_OLD' | 'OTHER_DATA';
  /** Prefix of the data set that it is about. */
  readonly dataSet?: string;
  readonly text: string;
}

/** @returns Nothing when the server is ready. */
export function lacksOf({ dataSets }: Status, { freshMs, md5 }: Wanted): readonly Lack[] {
  const lacks = dataSets.flatMap((set) => lackOf(set, freshMs) ?? []);
  if (dataSets.length === 0) lacks.push({ code: 'CLOSING', text: 'there is no data set' });
  if (md5 !== undefined && !dataSets.some(({ serving }) => serving?.md5 === md5)) {
    lacks.push({ code: 'OTHER_DATA', text: `no data set serves the file with MD5 ${md5}` });
  }
  return lacks;
}

function lackOf(set: DataSetStatus, freshMs: number | undefined): Lack | undefined {
  const { prefix: dataSet, serving, fault } = set;
  if (serving === undefined) return { code: 'NO_DATA', dataSet, text: fault ?? 'nothing serves' };
  const ageMs = Date.now() - Date.parse(serving.installedAt);
  if (freshMs === undefined || ageMs <= freshMs) return undefined;
  const seconds = Math.floor(ageMs / 1000);
  const text = `generation ${serving.generation} was installed ${seconds} s ago; expected at most ${freshMs / 1000} s`;
  return { code: 'TOO_OLD', dataSet, text };
}
