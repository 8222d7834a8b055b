import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { joinedModules } from '../../src/page/page.ts';
import { HttpSubject } from './http-subject.ts';

describe('the status page', () => {
  it('is one response that runs its own script, and none other', async () => {
    const subject = await HttpSubject.start();
    const { status, headers, text } = await subject.ask('/');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    const script = partOf(text, 'script');
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain(`default-src 'none'; script-src ${hashOf(script)};`);
    expect(policy).toContain(`style-src ${hashOf(partOf(text, 'style'))};`);
    expect(policy).toContain(`require-trusted-types-for 'script'; trusted-types 'none'`);
    expect(policy).not.toContain('unsafe');
    expect(text).not.toMatch(
      /https?:\/\/(?!www\.w3\.org\/2000\/svg)|\son[a-z]+=|style=|<link rel="s/,
    );
    // A name that two of its modules use for different things would end it here.
    execFileSync(process.execPath, ['--input-type=module', '--check'], { input: script });
  });
});

describe('modules as one', () => {
  const files: Readonly<Record<string, string>> = {
    'main.js': "import { a } from './a.js';\nimport { b,\n  c } from './b.js';\na(b, c);\n",
    'a.js': "import { b } from './b.js';\nexport function a() { return b; }\n",
    'b.js': 'export const b = 1;\nexport const c = "import x";\n//# sourceMappingURL=b.js.map\n',
  };

  it('stand once each, behind those that they need', () => {
    expect(joinedModules('main.js', (name) => files[name])).toBe(
      'const b = 1;\nconst c = "import x";\nfunction a() { return b; }\na(b, c);\n',
    );
  });
});

function partOf(page: string, tag: string): string {
  const [, part] = new RegExp(`<${tag}[^>]*>(.*?)</${tag}>`, 's').exec(page)!;
  return part;
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
