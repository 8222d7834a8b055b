/** How numbers and times are written. */

const KILO = 1000;

/** A whole number with separators: `1,234,567`. */
export function countText(count: number): string {
  return Math.round(count).toLocaleString('en');
}

/** A number of three digits: `0`, `4.2`, `950`, `12.3k`, `4.56M`. */
export function shortText(value: number): string {
  return scaled(value, ['', 'k', 'M', 'G', 'T', 'P']);
}

/** Bytes of three digits: `950 B`, `12.3 kB`. */
export function bytesText(bytes: number): string {
  return scaled(bytes, [' B', ' kB', ' MB', ' GB', ' TB', ' PB']);
}

/** A share of 0 to 1: `99.93 %`. */
export function shareText(share: number): string {
  const percent = share * 100;
  if (percent === 0 || percent === 100) return `${percent} %`;
  // A rate below 100 must not look like 100.
  const shown = percent < 100 ? Math.min(percent, 99.99) : percent;
  return `${shown.toFixed(percent > 99 && percent < 100 ? 2 : 1)} %`;
}

/** A short time: `85 µs`, `1.2 ms`, `3.4 s`. */
export function latencyText(seconds: number): string {
  return scaled(seconds * 1e6, [' µs', ' ms', ' s']);
}

/** A long time, in its two largest units: `5 s`, `3 min`, `2 h 13 min`, `4 d 2 h`. */
export function ageText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [whole / 86_400, (whole / 3600) % 24, (whole / 60) % 60].map(
    Math.floor,
  );
  if (days > 0) return hours === 0 ? `${days} d` : `${days} d ${hours} h`;
  if (hours > 0) return minutes === 0 ? `${hours} h` : `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${whole} s`;
}

/** A moment by the clock of whoever reads: `2026-11-28 18:50:36`. */
export function clockText(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return '–';
  const two = (part: number): string => String(part).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

/** The time zone of whoever reads: `UTC`, `GMT+1`. The log is in UTC. */
export function zoneText(ms: number): string {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(ms);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

/** The same without seconds, and how long ago it was: `2026-11-28 18:50, 3 min ago`. */
export function sinceText(ms: number, nowMs: number): string {
  if (Number.isNaN(ms)) return '–';
  return `${clockText(ms).slice(0, -3)}, ${agoText(ms, nowMs)}`;
}

/** `now`, or `3 min ago`. */
export function agoText(ms: number, nowMs: number): string {
  return nowMs - ms < 1000 ? 'now' : `${ageText((nowMs - ms) / 1000)} ago`;
}

/** One thing or several: `1 key`, `2 keys`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

function scaled(value: number, units: readonly string[]): string {
  let rest = value;
  let unit = 0;
  // 999.6 would be written as 1000.
  while (rest >= KILO - 0.5 && unit < units.length - 1) {
    rest /= KILO;
    unit++;
  }
  const digits = rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return `${Number(rest.toFixed(digits))}${units[unit]}`;
}
