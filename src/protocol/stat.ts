/** A line of a stats reply: name and value. */
export type Stat = readonly [name: string, value: string | number];
