/** The options of the commands that work on a base folder. */
import { checkRequired, optionGroup, type ValuesOf } from './option.ts';
import { BOOLEAN, FOLDER } from './values.ts';

export const BASE_FOLDER_OPTIONS = optionGroup('Flags', {
  basedir: {
    ...FOLDER,
    help: 'the base folder of the server: its -basedir, or else the folder of its -file (required)',
    required: 'the base folder of the server',
    elsewhere: ['dir'],
  },
  json: { ...BOOLEAN, help: 'print JSON' },
});

/** @throws GoromdbError OPTION_INVALID when no base folder is given. */
export function baseFolderOf({
  values,
}: {
  readonly values: ValuesOf<typeof BASE_FOLDER_OPTIONS>;
}) {
  checkRequired(BASE_FOLDER_OPTIONS, values);
  return values;
}
