import type { Logger } from '../../src/common/log.ts';

/** A logger that keeps its lines, each as `level message`. */
export interface CollectingLogger extends Logger {
  readonly lines: string[];
}

export function collectingLogger(): CollectingLogger {
  const lines: string[] = [];
  const log = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  return { lines, info: log('info'), warn: log('warn'), error: log('error') };
}
