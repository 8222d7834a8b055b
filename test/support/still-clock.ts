import { afterAll, beforeAll, vi } from 'vitest';

/**
 * Time and processor time stand still in the tests of this file: replies that tell of them, such as
 * that to `stats`, are the same however often they are asked for.
 */
export function stopClocks(): void {
  beforeAll(() => {
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.spyOn(process, 'resourceUsage').mockReturnValue(process.resourceUsage());
  });
  afterAll(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
}
