/** Draws plots of the documentation as SVG: groups of horizontal bars, in colors for a light or a dark page. */

interface Group {
  readonly name: string;
  /** One for each of the plot's series, in their order. */
  readonly values: readonly number[];
}

export interface Plot {
  readonly title: string;
  readonly unit: string;
  /** What the bars of each group stand for. */
  readonly series: readonly string[];
  readonly groups: readonly Group[];
}

export interface Theme {
  readonly text: string;
  readonly bars: readonly string[];
}

/** Text and bars have a contrast of at least 4.5 and 3 to white, and to GitHub's dark background. */
export const LIGHT: Theme = { text: '#1f2328', bars: ['#0969da', '#818b98'] };
export const DARK: Theme = { text: '#e6edf3', bars: ['#58a6ff', '#7d8590'] };

const WIDTH = 720;
const LEFT = 190;
/** Room for the figure behind the longest bar. */
const RIGHT = 90;
const TOP = 62;
const BAR = 18;
const GAP = 16;

export function bars({ title, unit, series, groups }: Plot, theme: Theme): string {
  const longest = Math.max(...groups.flatMap(({ values }) => values));
  const groupHeight = series.length * BAR + GAP;
  const height = TOP + groups.length * groupHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" font-family="system-ui, sans-serif" font-size="13" fill="${theme.text}">`,
    `<title>${title}, ${unit}: ${groups.map(spoken(series)).join('; ')}</title>`,
    `<text x="0" y="18" font-size="15" font-weight="600">${title}, ${unit}</text>`,
    ...series.flatMap((name, i) => [
      `<rect x="${LEFT + i * 220}" y="32" width="12" height="12" fill="${theme.bars[i]}"/>`,
      `<text x="${LEFT + i * 220 + 18}" y="43">${name}</text>`,
    ]),
    ...groups.flatMap(({ name, values }, row) => {
      const top = TOP + row * groupHeight;
      const middle = top + (series.length * BAR) / 2 + 4;
      return [
        `<text x="${LEFT - 10}" y="${middle}" text-anchor="end">${name}</text>`,
        ...values.flatMap((value, i) => {
          const length = Math.max(1, (value / longest) * (WIDTH - LEFT - RIGHT));
          const y = top + i * BAR;
          return [
            `<rect x="${LEFT}" y="${y}" width="${length.toFixed(1)}" height="${BAR - 3}" fill="${theme.bars[i]}"/>`,
            `<text x="${(LEFT + length + 6).toFixed(1)}" y="${y + 12}">${value}</text>`,
          ];
        }),
      ];
    }),
    '</svg>',
    '',
  ].join('\n');
}

function spoken(series: readonly string[]): (group: Group) => string {
  return ({ name, values }) =>
    `${name}: ${values.map((value, i) => `${series[i]} ${value}`).join(', ')}`;
}
