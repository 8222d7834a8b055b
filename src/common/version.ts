/** The version of this package, as in package.json. */
export const VERSION = '0.5.0';

/**
 * What `version` answers. memcached clients take exactly three dotted numbers, the first at least
 * 1, and some choose their behaviour by it: it names the memcached whose reading commands we speak.
 */
export const PROTOCOL_VERSION = '1.6.18';
