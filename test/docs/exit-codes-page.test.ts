/** docs/exit-codes.md, made of what commands declare: `npm run docs:flags` writes it anew. */
import { expect, test } from 'vitest';
import { typedAs } from '../../src/cli/commands/command.ts';
import { COMMANDS, DEFAULT_COMMAND } from '../../src/cli/commands/commands.ts';

const INTRO = `# Exit codes

<!-- Made of the declarations in src/cli/commands by "npm run docs:flags": change those, not this page. -->

After this page you know what each exit code of the server and of the commands means.

- The last line on standard error that begins with \`goromdb:\` says why a code is not 0. A wrong flag or file of \`-config\` is named, with what was
  found and what is allowed.
- A command that fails by a fault of goromdb itself ends with 1, and prints the stack.
- \`-help\` and \`-version\` end with 0.
- When the reader of a pipe goes away, as \`head\` does, the command ends quietly, with the code of what it found until
  then.

A command can return no code that its declaration lacks: TypeScript checks it. \`-help\` and the manual show the same
texts.
`;

function page(): string {
  const sections = COMMANDS.map((command) => {
    const heading = command === DEFAULT_COMMAND ? 'goromdb' : `goromdb ${typedAs(command.name)}`;
    const rows = Object.entries(command.exitCodes).map(([code, text]) => `| ${code} | ${text} |`);
    return `## ${heading}\n\n| code | meaning |\n|--:|---|\n${rows.join('\n')}\n`;
  });
  return [INTRO, ...sections].join('\n');
}

test('docs/exit-codes.md says what the declarations say: else run "npm run docs:flags"', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/exit-codes.md');
});
