/** The strings that both servers hold. */
export const RECORDS: readonly (readonly [key: string, value: string])[] = [
  ['a', 'of a'],
  ['empty', ''],
  // Of lower ones Redis keeps one object for all, and says so by OBJECT REFCOUNT.
  ['number', '10042'],
  ['not-a-number', '042'],
  ['short', 'x'.repeat(44)],
  ['long', 'x'.repeat(45)],
  ['ones', '\x7f\x7f'],
  ['o', 'ohmytext'],
  ['m', 'mynewtext'],
  ['dna1', 'ACGTACGTTAGCCGATTACAGGATCCTAGGCATTAGCAT'.repeat(12)],
  ['dna2', 'TTAGGCATCGATCCGTAGCTAGCATTACGGATCCATGAC'.repeat(12)],
];

const KEYS = [...RECORDS.map(([key]) => key), 'none'];

/** Each alone, on a connection of its own. */
const ALONE = [
  ...KEYS.flatMap((key) => [
    ...['GET', 'STRLEN', 'TYPE', 'TTL', 'PTTL', 'EXPIRETIME', 'BITCOUNT'].map(
      (it) => `${it} ${key}`,
    ),
    ...['OBJECT ENCODING', 'OBJECT FREQ', 'OBJECT REFCOUNT'].map((it) => `${it} ${key}`),
    ...['0 -1', '1 2', '-3 -2', '5 1', '-100 0', 'x 1'].map((range) => `GETRANGE ${key} ${range}`),
    ...['1', '0', '1 1', '0 0 -1', '1 0 1 BIT', '2', 'x'].map((rest) => `BITPOS ${key} ${rest}`),
    ...['0', '7', '99', '-1', 'x', '4294967296'].map((bit) => `GETBIT ${key} ${bit}`),
    ...['HGETALL', 'SMEMBERS', 'LLEN', 'ZCARD', 'XLEN'].map((it) => `${it} ${key}`),
    ...['o', 'none', 'dna1', 'dna2'].flatMap((other) => [
      ...['', ' LEN', ' IDX', ' IDX WITHMATCHLEN', ' IDX MINMATCHLEN 3', ' WITHMATCHLEN'].map(
        (options) => `LCS ${key} ${other}${options}`,
      ),
    ]),
  ]),
  ...['', ' x', ' MINMATCHLEN', ' MINMATCHLEN x', ' MINMATCHLEN -5 IDX', ' LEN IDX'].map(
    (options) => `LCS o m${options}`,
  ),
  'LCS o',
  'CLIENT INFO',
  'CLIENT INFO x',
  'CLIENT LIST x',
  'CLIENT LIST TYPE',
  'CLIENT LIST TYPE x',
  'CLIENT LIST TYPE master',
  'CLIENT LIST TYPE normal x',
  'CLIENT LIST ID',
  'CLIENT LIST ID x',
  'CLIENT LIST ID 0',
  'CLIENT LIST ID 999999999',
  'CLIENT HELP x',
  'CLIENT NO-EVICT on',
  'CLIENT NO-EVICT x',
  'CLIENT x',
  'CLIENT CACHING yes',
  'CLIENT CACHING x',
  'CLIENT GETREDIR',
  'CLIENT TRACKINGINFO',
  'LATENCY LATEST',
  'LATENCY HISTORY x',
  'LATENCY GRAPH x',
  'LATENCY HISTOGRAM none',
  'LATENCY RESET',
  'LATENCY RESET x y',
  'LATENCY DOCTOR x',
  'LATENCY x',
  'SLOWLOG LEN',
  'SLOWLOG GET',
  'SLOWLOG GET 5',
  'SLOWLOG RESET',
  'ROLE x',
  'WAIT 0 10',
  'WAIT x 10',
  'MEMORY USAGE none',
  'DUMP none',
  'UNSUBSCRIBE',
  'UNSUBSCRIBE x',
  'SUBSCRIBE',
];

const SUBSCRIBE = 'SUBSCRIBE __redis__:invalidate';

/** Conversations of one connection each. */
export const CONVERSATIONS: readonly (readonly string[])[] = [
  ...ALONE.map((command) => [command]),
  ['CLIENT SETNAME bob', 'CLIENT INFO', 'MULTI', 'GET a', 'GETX', 'EXEC', 'CLIENT INFO'],
  [SUBSCRIBE, 'GET a', 'PING', 'PING x', 'CLIENT GETNAME', 'HELLO 3', SUBSCRIBE],
  [SUBSCRIBE, 'UNSUBSCRIBE x', 'UNSUBSCRIBE', 'GET a', 'CLIENT INFO'],
  [SUBSCRIBE, 'RESET', 'GET a', 'CLIENT INFO'],
  ['MULTI', SUBSCRIBE, 'GET a', 'EXEC', 'GET a'],
  ['CLIENT TRACKING on', 'CLIENT TRACKINGINFO', 'CLIENT GETREDIR', 'CLIENT INFO'],
  ['CLIENT TRACKING on', 'HELLO 2', 'CLIENT GETREDIR', 'HELLO 3', 'CLIENT TRACKINGINFO'],
  ['CLIENT TRACKING on', 'CLIENT CACHING yes', 'CLIENT TRACKING on BCAST', 'CLIENT TRACKING off'],
  ['CLIENT TRACKING on OPTIN', 'CLIENT CACHING yes', 'CLIENT CACHING no', 'CLIENT CACHING x'],
  ['CLIENT TRACKING on OPTIN', 'CLIENT TRACKINGINFO', 'CLIENT TRACKING on OPTOUT'],
  ['CLIENT TRACKING on OPTOUT NOLOOP', 'CLIENT TRACKINGINFO', 'CLIENT CACHING no'],
  ['CLIENT TRACKING on OPTIN OPTOUT', 'CLIENT TRACKING on BCAST OPTIN', 'CLIENT TRACKINGINFO'],
  ['CLIENT TRACKING on PREFIX a', 'CLIENT TRACKING on BCAST PREFIX', 'CLIENT TRACKING on REDIRECT'],
  ['CLIENT TRACKING on REDIRECT x', 'CLIENT TRACKING on REDIRECT 999999', 'CLIENT TRACKING on z'],
  ['CLIENT TRACKING on BCAST PREFIX abc PREFIX ab', 'CLIENT TRACKINGINFO'],
  [
    'CLIENT TRACKING on BCAST PREFIX x PREFIX abc',
    'CLIENT TRACKING on BCAST PREFIX abcd',
    'CLIENT TRACKING on BCAST PREFIX y NOLOOP',
    'CLIENT TRACKINGINFO',
    'CLIENT INFO',
    'CLIENT TRACKING on BCAST PREFIX y',
    'CLIENT TRACKING on',
    'CLIENT TRACKING off',
    'CLIENT TRACKINGINFO',
  ],
  ['CLIENT TRACKING on BCAST PREFIX abc', 'CLIENT TRACKING on BCAST PREFIX ab'],
  ['CLIENT TRACKING on BCAST', 'CLIENT TRACKINGINFO', 'CLIENT TRACKING on BCAST PREFIX a'],
  ['CLIENT TRACKING off', 'CLIENT TRACKING maybe', 'CLIENT TRACKING maybe x'],
];

/** Subcommands of Redis 7.2. */
export const LATER_THAN_REFERENCE = ['CLIENT NO-TOUCH on', 'CLIENT SETINFO LIB-NAME x'];
