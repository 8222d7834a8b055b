import type { Settings } from '../common/status.ts';
import type { SessionSettings } from '../protocol/protocol.ts';
import { VALUE_BYTES_MAX } from '../storage/scanners/scanner.ts';
import type { AccessOptions } from './access.ts';
import type { Limits } from './limits.ts';

/** What settings are about. */
export interface SettingsSource {
  readonly threads: number;
  readonly limits: Limits;
  readonly access: AccessOptions;
  readonly sessions: SessionSettings;
  /** Whether a client may end the server. */
  readonly allowShutdown: boolean;
}

/** What a server was started with, for `stats settings` and a status. */
export function settingsOf(source: SettingsSource): Settings {
  const { threads, limits, access, sessions, allowShutdown } = source;
  return {
    maxconns: limits.connectionsMax,
    num_threads: threads,
    shutdown_command: yesOrNo(allowShutdown),
    loud_refusals: yesOrNo(sessions.loudRefusals === true),
    get_line_bytes_max: limits.lineBytesMax,
    keys_per_request_max: limits.keysMax,
    item_size_max: VALUE_BYTES_MAX,
    idle_timeout: Math.ceil(limits.idleTimeoutMs / 1000),
    stall_timeout: Math.ceil(limits.stallTimeoutMs / 1000),
    stale_timeout: Math.ceil(limits.staleTimeoutMs / 1000),
    buffered_bytes_max: limits.bufferedBytesMax,
    conn_buffered_bytes_max: limits.connectionBufferedBytesMax,
    ssl_enabled: yesOrNo(access.tls !== undefined),
    auth_enabled_ascii: yesOrNo(access.userFile !== undefined),
  };
}

function yesOrNo(is: boolean): string {
  return is ? 'yes' : 'no';
}
