import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf } from '../../src/common/file-identity.ts';
import type {
  Offer,
  OfferNews,
  Receiver,
  Source,
  Verdict,
} from '../../src/loader/generations/source.ts';
import { md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';

/** Offers what it is given from memory: all that a source must do. */
export class SomeSource implements Source {
  readonly wanted = 'something is given';
  readonly notices: string[] = [];
  readonly news: OfferNews[] = [];
  #receiver: Receiver | undefined;

  give(content: string): Promise<Verdict> {
    const notify = (news: OfferNews): void => {
      this.news.push(news);
      this.notices.push(news.state);
    };
    const offer = { ...someOffer(content), notify };
    return this.#receiver!.load(offer, new AbortController().signal);
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  hasNext = async (): Promise<boolean> => false;
  resume: Source['resume'] = async (now) =>
    void this.notices.push(`resume ${now?.record.generation}`);
  rolledBack: Source['rolledBack'] = async () => void this.notices.push('rolled back');
  look(): void {}
  close = async (): Promise<void> => {};
}

/** An offer of some content, which nobody hears of. */
export function someOffer(content: string): Offer {
  const path = join(temporaryFolder(), 'content');
  writeFileSync(path, content);
  return {
    ...{ name: 'memory:it', path, md5: md5(content), force: false, isLinked: false },
    identity: identityOf(statSync(path, { bigint: true })),
    notify: () => {},
    remove: async () => undefined,
    isLeft: async () => false,
    reject: async () => 'it is forgotten',
  };
}
