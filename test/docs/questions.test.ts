import { describe, expect, it } from 'vitest';
import { linksIn, PAGES, sectionOf } from './pages.ts';
import { QUESTIONS } from './questions.ts';

const START = 'README.md';

/** Whether a page is seen after a click on this link. */
function opens(link: string, page: string): boolean {
  return link.split('#')[0] === page;
}

/** The fewest clicks from README to the place, or to the page that it is on where nothing links to the place itself. */
function clicksTo(place: string): number {
  const [page] = place.split('#');
  if (page === START) return 0;
  const first = linksIn(START);
  if (first.some((link) => opens(link, page))) return 1;
  const pages = [...new Set(first.map((link) => link.split('#')[0]))].filter((it) =>
    PAGES.includes(it),
  );
  return pages.some((it) => linksIn(it).some((link) => opens(link, page))) ? 2 : Infinity;
}

describe('a reader who comes from another server', () => {
  it('has twenty questions', () => {
    expect(new Set(QUESTIONS.map(({ asks }) => asks)).size).toBe(20);
  });

  it.each(QUESTIONS)('$asks ($in) finds the answer in two clicks', ({ at, says }) => {
    expect(clicksTo(at)).toBeLessThanOrEqual(2);
    expect(sectionOf(at)).toMatch(says);
  });

  it.each(QUESTIONS)('$asks stands in the frequent questions, or README answers it', ({ at }) => {
    const [page] = at.split('#');
    if (page === START || page === 'docs/faq.md') return;
    expect(linksIn('docs/faq.md')).toContain(at);
  });
});

describe('each page', () => {
  it('can be reached from README in two clicks', () => {
    expect(PAGES.filter((page) => clicksTo(page) > 2)).toEqual([]);
  });
});
