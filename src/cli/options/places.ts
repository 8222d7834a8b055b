/** What the commands that look into files say of what they read. */

/** For the notes of a command. */
export const PLACES_NOTE = `A file of any format that is served can be named, or the base folder of a
server, running or not: BASEDIR is its newest generation, BASEDIR@previous the
one before, BASEDIR@7 generation 7. The flags of Data are for files.`;
