/** A line of a plot. */
export interface Series {
  readonly name: string;
  readonly color: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const WIDTH = 640;
const HEIGHT = 360;
const LEFT = 70;
const RIGHT = 20;
const TOP = 40;
const BOTTOM = 50;

/** Draws lines over a logarithmic x and a y that begins at 0, as SVG. */
export function plot(
  title: string,
  xName: string,
  yName: string,
  series: readonly Series[],
): string {
  const all = series.flatMap(({ points }) => points);
  const logs = all.map(([x]) => Math.log10(x));
  const [xMin, xMax] = [Math.min(...logs), Math.max(...logs)];
  const yMax = niceCeiling(Math.max(...all.map(([, y]) => y)));
  const px = (x: number): number =>
    LEFT + ((Math.log10(x) - xMin) / (xMax - xMin || 1)) * (WIDTH - LEFT - RIGHT);
  const py = (y: number): number => HEIGHT - BOTTOM - (y / yMax) * (HEIGHT - TOP - BOTTOM);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-size="14">${title}</text>`,
    `<text x="${WIDTH / 2}" y="${HEIGHT - 8}" text-anchor="middle">${xName}</text>`,
    `<text x="16" y="${HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 16 ${HEIGHT / 2})">${yName}</text>`,
  ];
  for (let i = 0; i <= 4; i++) {
    const y = (yMax / 4) * i;
    lines.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(y)}" y2="${py(y)}" stroke="#ddd"/>`,
      `<text x="${LEFT - 6}" y="${py(y) + 4}" text-anchor="end">${short(y)}</text>`,
    );
  }
  for (const x of new Set(all.map(([value]) => value))) {
    lines.push(
      `<text x="${px(x)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${short(x)}</text>`,
    );
  }
  for (const [i, { name, color, points }] of series.entries()) {
    const path = points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(' ');
    lines.push(
      `<polyline fill="none" stroke="${color}" stroke-width="2" points="${path}"/>`,
      `<text x="${WIDTH - RIGHT}" y="${20 + i * 16}" text-anchor="end" fill="${color}">${name}</text>`,
    );
  }
  return `${lines.join('\n')}\n</svg>\n`;
}

/** The next of 1, 2, 4 or 8 times a power of ten. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return [1, 2, 4, 8, 10].map((step) => step * power).find((step) => step >= value)!;
}

function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e3 ? `${value / 1e3}k` : String(Number(value.toPrecision(3)));
}
