import { GoromdbError, messageOf } from './errors.ts';

/**
 * Finds a replaceable part: a built-in one by its name, or a user's by the URL of a module (`file:…`)
 * whose default export it is. Parts run in worker threads and in the loader process, where only a name
 * or a URL can reach, not an object.
 *
 * @throws GoromdbError OPTION_INVALID when there is no such part.
 */
export async function loadPlugin<T>(
  what: string,
  spec: string,
  builtIns: Readonly<Record<string, T>>,
): Promise<T> {
  if (Object.hasOwn(builtIns, spec)) return builtIns[spec];
  if (spec.startsWith('file:')) {
    const found = await importDefault<T>(what, spec);
    if (found !== undefined) return found;
  }
  const names = Object.keys(builtIns).join(', ');
  throw new GoromdbError(
    'OPTION_INVALID',
    `${what} "${spec}" is not known: expected ${names}, or the file: URL of a module that exports one as default`,
  );
}

async function importDefault<T>(what: string, url: string): Promise<T | undefined> {
  try {
    const module: { readonly default?: T } = await import(url);
    return module.default;
  } catch (cause) {
    const message = `${what} ${url} cannot be used: ${messageOf(cause)}`;
    throw new GoromdbError('OPTION_INVALID', message, { cause });
  }
}
