/** What the commands that look into files say of what they read. */

/** For the notes of a command. */
export const PLACES_NOTE = `FILE is a file of any format that the server reads, or the base folder of a
server, running or not: BASEDIR means its newest generation, BASEDIR@previous
the one before, BASEDIR@7 generation 7. The Data flags apply to files only.`;
