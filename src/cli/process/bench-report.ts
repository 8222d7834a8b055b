/** What `goromdb bench` shows. */
import { formatAddress } from '../../common/address.ts';
import { formatBytes } from '../../common/quantities.ts';
import type { TrafficPlan, TrafficProgress, TrafficReport } from '../../traffic/traffic.ts';
import type { Terminal } from './progress.ts';

/** One line of a terminal that is drawn over; in a pipe there is none. */
export function progressLine(terminal: Terminal): {
  readonly show: (progress: TrafficProgress) => void;
  readonly clear: () => void;
} {
  if (terminal.isTTY !== true) return { show: () => {}, clear: () => {} };
  return {
    show: ({ phase, leftMs, requestsPerSecond, p99Ms }) => {
      const left = phase === 'connect' ? '' : ` ${(leftMs / 1000).toFixed(0)} s left,`;
      const p99 = Number.isNaN(p99Ms) ? '' : `, p99 ${milliseconds(p99Ms)}`;
      const rate = `${rounded(requestsPerSecond)} requests/s`;
      terminal.write(`\r\x1b[K${phase}:${left} ${rate}${p99}`);
    },
    clear: () => terminal.write('\r\x1b[K'),
  };
}

export function reportText(report: TrafficReport, plan: Omit<TrafficPlan, 'source'>): string {
  const { stats, latencyMs, server, complaints } = report;
  const { p50, p90, p99, p999, max } = latencyMs;
  const { shape } = plan;
  const hits = stats.keys === 0 ? 0 : (stats.hits / stats.keys) * 100;
  const latencies = [p50, p90, p99, p999, max].map(milliseconds);
  const of = shape.pipeline > 1 ? `of ${shape.pipeline} requests at once` : 'of a request';
  const lines = [
    ['server', `${formatAddress(plan.address)}, ${stats.connected} connections`],
    ['requests', `${stats.requests} in ${report.seconds.toFixed(2)} s`],
    ['throughput', throughputText(report, plan)],
    ['keys', `${rounded(stats.keys / report.seconds)}/s, ${hits.toFixed(2)} % of them hits`],
    ['received', `${formatBytes(stats.bytesRead / report.seconds)}/s`],
    [
      'latency',
      `${of}: p50 ${latencies[0]}, p90 ${latencies[1]}, p99 ${latencies[2]}, ` +
        `p99.9 ${latencies[3]}, max ${latencies[4]}`,
    ],
    ['checked', `${stats.checked} replies byte by byte, ${stats.wrong} wrong`],
    ...(server === undefined
      ? []
      : [
          [
            'server CPU',
            `${server.cpuMicrosPerRequest.toFixed(2)} µs a request, ${server.cpus.toFixed(2)} processors`,
          ],
          ['server memory', formatBytes(server.residentBytes)],
        ]),
    ...complaints.map((fault) => ['fault', fault]),
  ];
  return `${lines.map(([name, text]) => `${name.padEnd(14)}${text}`).join('\n')}\n`;
}

function throughputText(
  { requestsPerSecond }: TrafficReport,
  { ratePerSecond }: Omit<TrafficPlan, 'source'>,
): string {
  const rate = `${rounded(requestsPerSecond)} requests/s`;
  return ratePerSecond === 0 ? rate : `${rate} of ${ratePerSecond} that were to be sent`;
}

function rounded(value: number): string {
  return String(Math.round(value));
}

function milliseconds(ms: number): string {
  return ms < 1 ? `${(ms * 1000).toFixed(0)} µs` : `${ms.toFixed(2)} ms`;
}
