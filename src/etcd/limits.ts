/** Limits on what is asked of etcd, and on what it may answer. */

/** A request that was sent has no known outcome after this time. */
export const REQUEST_MS_MAX = 5_000;
/** A read is idempotent: the next endpoint is asked after this time. */
export const READ_ATTEMPT_MS_MAX = 2_000;
/** What takes longer to connect is not there. */
export const CONNECT_MS_MAX = 1_000;
/** What waits for longer until a connection is free asks the next endpoint. */
export const PLACE_MS_MAX = 2_000;
/** Connections to one endpoint. */
export const CONNECTIONS_MAX = 128;
/** Bytes of one answer: 128 of the largest values, in base64. */
export const ANSWER_BYTES_MAX = 192 * 1024 * 1024;
/** Bytes of one line of a watch. */
export const WATCH_LINE_BYTES_MAX = 64 * 1024 * 1024;
/** Keys of one page of a list. */
export const LIST_KEYS_MAX = 1_000;
/** An endpoint that a watch hangs on is asked this often whether it has a leader. */
export const WATCH_CHECK_MS = 3_000;
/** From a broken watch to the next: each failure doubles it. */
export const RESUME_MS_MIN = 50;
export const RESUME_MS_MAX = 2_000;
/** Endpoints that may be given. */
export const ENDPOINTS_MAX = 32;
