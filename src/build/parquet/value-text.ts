/** The one text of each kind of value of Parquet: see docs/publishing.md. */
import type { SchemaElement } from 'hyparquet';
import { GoromdbError } from '../../common/errors.ts';
import { printable } from '../../storage/scanners/name-list.ts';
import { KIND } from '../rows/row.ts';

/** A value as text or bytes, and what it is in JSON. */
type ValueText = (value: unknown) => string | Uint8Array;

export interface ColumnText {
  readonly kind: number;
  readonly text: ValueText;
}

/**
 * Most digits behind the point of a decimal, or zeros before it, and the bytes of as large a number. The
 * widest decimals of databases have 76 digits. With 100,000,000 a file of 155 bytes took 29 s, which
 * nothing could abort (2026-11-28).
 */
const DECIMAL_DIGITS_MAX = 1000;
const DECIMAL_BYTES_MAX = 416;

const DAY_SECONDS = 86_400;
const BILLION = 1_000_000_000n;
/** The day number of 1970 in the count of days that begins in 4713 B.C. */
const EPOCH_DAY = 2_440_588n;

/**
 * How the values of a column become text.
 *
 * @throws GoromdbError FORMAT_UNSUPPORTED.
 */
export function columnText(path: string, element: SchemaElement): ColumnText {
  const { type, converted_type: converted, logical_type: logical, name } = element;
  const kind = logical?.type ?? converted ?? '';
  if (kind === 'BSON' || kind === 'INTERVAL') {
    const message = `${path}: column ${JSON.stringify(name)}: values of the type ${kind} are not read`;
    throw new GoromdbError('FORMAT_UNSUPPORTED', message);
  }
  if (kind === 'DECIMAL') {
    const scale = (logical?.type === 'DECIMAL' ? logical.scale : undefined) ?? element.scale ?? 0;
    return scalar(decimalOf(`${path}: column ${printable(name)}`, scale));
  }
  if (kind === 'DATE') return plain((value) => dateText(Number(value)));
  if (type === 'INT96') return plain((value) => `${timeText(nanosOf(value as bigint), BILLION)}Z`);
  const unit = unitOf(element);
  if (unit !== undefined && kind.startsWith('TIMESTAMP')) {
    // The older form has no word for local time.
    const zone = logical?.type === 'TIMESTAMP' && !logical.isAdjustedToUTC ? '' : 'Z';
    return plain((value) => `${timeText(integerOf(value), unit)}${zone}`);
  }
  if (unit !== undefined) return plain((value) => timeText(integerOf(value), unit).slice(11));
  if (kind === 'UUID') return plain((value) => uuidText(value as Uint8Array));
  if (kind === 'FLOAT16') return scalar((value) => halfText(value as Uint8Array));
  if (type === 'FLOAT') return scalar((value) => singleText(value as number));
  if (type === 'DOUBLE') return scalar(String);
  if (type === 'BOOLEAN') return scalar(String);
  if (type !== 'INT32' && type !== 'INT64') return plain((value) => value as Uint8Array);
  const isUnsigned =
    logical?.type === 'INTEGER' ? !logical.isSigned : converted?.startsWith('UINT') === true;
  const bits = type === 'INT32' ? 32 : 64;
  return scalar(isUnsigned ? (value) => String(BigInt.asUintN(bits, integerOf(value))) : String);
}

function plain(text: ValueText): ColumnText {
  return { kind: KIND.text, text };
}

function scalar(text: ValueText): ColumnText {
  return { kind: KIND.scalar, text };
}

/** In how many parts of a second a time is counted. */
function unitOf({
  converted_type: converted,
  logical_type: logical,
}: SchemaElement): bigint | undefined {
  const unit =
    logical?.type === 'TIMESTAMP' || logical?.type === 'TIME'
      ? logical.unit
      : /^TIME(?:STAMP)?_(.*)$/.exec(converted ?? '')?.[1];
  if (unit === 'MILLIS') return 1000n;
  if (unit === 'MICROS') return 1_000_000n;
  return unit === 'NANOS' ? BILLION : undefined;
}

/** Of a time of 96 bits: days above, nanoseconds of the day below. */
function nanosOf(value: bigint): bigint {
  const days = BigInt.asIntN(32, value >> 64n) - EPOCH_DAY;
  return days * BigInt(DAY_SECONDS) * BILLION + BigInt.asIntN(64, value);
}

/** Of a number, or of the bytes of one, the highest first. */
function integerOf(value: unknown): bigint {
  if (!(value instanceof Uint8Array)) return BigInt(value as number | bigint);
  if (value.length === 0) return 0n;
  return BigInt.asIntN(8 * value.length, BigInt(`0x${Buffer.from(value).toString('hex')}`));
}

/** @param where For messages. @throws GoromdbError LIMIT_EXCEEDED; what it returns, too. */
function decimalOf(where: string, scale: number): ValueText {
  if (Math.abs(scale) > DECIMAL_DIGITS_MAX) {
    const expected = `expected a scale of at most ${DECIMAL_DIGITS_MAX} digits`;
    throw new GoromdbError('LIMIT_EXCEEDED', `${where}: ${expected}, found ${scale}`);
  }
  return (value) => {
    if (value instanceof Uint8Array && value.length > DECIMAL_BYTES_MAX) {
      const expected = `expected decimals of at most ${DECIMAL_BYTES_MAX} bytes`;
      throw new GoromdbError('LIMIT_EXCEEDED', `${where}: ${expected}, found ${value.length}`);
    }
    return decimalText(integerOf(value), scale);
  };
}

/** All digits behind the point, as many as the column has. */
function decimalText(unscaled: bigint, scale: number): string {
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The shortest text that is read as the same number of 32 bits. */
function singleText(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number.isFinite(value) ? Number(value.toPrecision(9)) : value);
}

function halfText([low, high]: Uint8Array): string {
  const bits = (high << 8) | low;
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f)
    return String(fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN);
  const value =
    exponent === 0 ? 2 ** -14 * (fraction / 1024) : 2 ** (exponent - 15) * (1 + fraction / 1024);
  return singleText(sign * value);
}

/** `2024-02-29`, of days since 1970. */
function dateText(days: number): string {
  // Howard Hinnant's civil_from_days: years begin in March, so that a leap day is the last one.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const day = shifted - era * 146_097;
  const year = Math.floor(
    (day - Math.floor(day / 1460) + Math.floor(day / 36_524) - Math.floor(day / 146_096)) / 365,
  );
  const ofYear = day - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const part = Math.floor((5 * ofYear + 2) / 153);
  const month = part < 10 ? part + 3 : part - 9;
  const date = ofYear - Math.floor((153 * part + 2) / 5) + 1;
  const civil = year + era * 400 + (month <= 2 ? 1 : 0);
  const years = civil < 0 ? `-${two(-civil, 4)}` : two(civil, 4);
  return `${years}-${two(month)}-${two(date)}`;
}

/** `2024-02-29T12:00:00.5`, of parts of a second since 1970; without zeros behind the last digit. */
function timeText(count: bigint, perSecond: bigint): string {
  const rest = ((count % perSecond) + perSecond) % perSecond;
  const seconds = Number((count - rest) / perSecond);
  const days = Math.floor(seconds / DAY_SECONDS);
  const ofDay = seconds - days * DAY_SECONDS;
  const clock = [ofDay / 3600, (ofDay / 60) % 60, ofDay % 60].map((part) => two(Math.floor(part)));
  const digits = String(perSecond).length - 1;
  const fraction = String(rest).padStart(digits, '0').replace(/0+$/, '');
  return `${dateText(days)}T${clock.join(':')}${fraction === '' ? '' : `.${fraction}`}`;
}

function two(value: number, digits = 2): string {
  return String(value).padStart(digits, '0');
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
