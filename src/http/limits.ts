/** Limits on HTTP clients: none of them can take much of the main thread or of its memory. */

/** Connections at one time; a further one takes the place of the one that was idle longest. */
export const CONNECTIONS_MAX = 64;
/** Requests of one connection that wait for their responses; one more, and it is disconnected. */
export const PIPELINED_MAX = 8;
/** Request line and headers of one request. */
export const HEADER_BYTES_MAX = 8 * 1024;
/** Body of a request. */
export const BODY_BYTES_MAX = 4 * 1024;
/** How long the headers of a request may take, and how long all of it. */
export const HEADERS_MS_MAX = 5_000;
export const REQUEST_MS_MAX = 10_000;
/** How long a connection may rest between two requests. */
export const KEEP_ALIVE_MS = 15_000;
/** How long a client may take to read a response. */
export const RESPONSE_MS_MAX = 10_000;
/** Requests a second of all clients together; those of probes are not counted. */
export const REQUESTS_PER_SECOND_MAX = 100;
/** Clients of `/api/events` at one time. */
export const EVENT_CLIENTS_MAX = 16;
/** What an event client may leave unread; then it is disconnected. */
export const EVENT_BUFFER_BYTES_MAX = 64 * 1024;
/** Events that are kept for clients that come again. */
export const EVENTS_KEPT_MAX = 100;
/** How often an event client without news is sent a comment, so that a dead one is noticed. */
export const EVENT_COMMENT_MS = 15_000;
/** How long responses may take once the server closes. */
export const CLOSE_MS_MAX = 500;
/** Size of the token file, and the shortest token. */
export const TOKEN_BYTES_MAX = 1024;
export const TOKEN_CHARS_MIN = 16;
/** A wrong token is logged once in this time. */
export const WARN_INTERVAL_MS = 60_000;
