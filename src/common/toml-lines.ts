/** Where in a TOML file a key is. Lines are counted from 1. */
export interface TomlLines {
  /** @param section The number of the table, from 0; undefined: the part above them. */
  lineOf(key: string | undefined, section: number | undefined): number | undefined;
}

/**
 * Finds the keys of a valid TOML text: its parser does not say where they are. Only keys at the
 * beginning of a line are found; a message about another key names no line.
 *
 * @param tables The name of the list of tables, as in `[[shards]]`, whose keys are found too.
 */
export function findLines(text: string, tables: string): TomlLines {
  const places = new Map<string, number>();
  let section = -1;
  let isOther = false;
  text.split('\n').forEach((line, i) => {
    // Each part takes other characters than the one behind it: a line of 1 MB is read once.
    const header = /^\s*\[\[?\s*["']?([^\]"'\s]+)["']?\s*\]/.exec(line);
    if (header !== null) {
      isOther = header[1] !== tables;
      if (!isOther) section++;
      const name = isOther ? placeOf(header[1], undefined) : placeOf(undefined, section);
      if (!places.has(name)) places.set(name, i + 1);
      return;
    }
    const key = /^\s*["']?([\w.-]+)["']?\s*=/.exec(line)?.[1];
    if (key === undefined || isOther) return;
    const name = placeOf(key, section === -1 ? undefined : section);
    if (!places.has(name)) places.set(name, i + 1);
  });
  return {
    lineOf: (key, at) => places.get(placeOf(key, at)) ?? places.get(placeOf(undefined, at)),
  };
}

function placeOf(key: string | undefined, section: number | undefined): string {
  return `${section ?? ''}/${key ?? ''}`;
}
