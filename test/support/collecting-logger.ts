import type { LogFields, Logger } from '../../src/common/log.ts';

/** A logger that keeps its lines, each as `level message`. */
export interface CollectingLogger extends Logger {
  readonly lines: string[];
  /** Those of each line. */
  readonly fields: LogFields[];
}

export function collectingLogger(): CollectingLogger {
  const lines: string[] = [];
  const fields: LogFields[] = [];
  const log = (level: string) => (message: string, about: LogFields) => {
    lines.push(`${level} ${message}`);
    fields.push(about);
  };
  return { lines, fields, info: log('info'), warn: log('warn'), error: log('error') };
}
