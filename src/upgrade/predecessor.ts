import process from 'node:process';
import {
  HANDOVER_VARIABLE,
  type Inherited,
  type NewSays,
  type OldSays,
  type SocketRole,
  unpackHandover,
} from './upgrade.ts';

/**
 * The process that this one takes over from. When it is gone, this one goes on alone: it has its
 * sockets and locks.
 */
export class Predecessor {
  readonly inherited: Inherited;
  /** It may have gone before this process could hear of it. */
  #isGone = !process.connected;
  #isTaken = false;
  /** Called with what it says; with undefined when it is gone. */
  #onAnswer: (answer: OldSays['kind'] | undefined) => void = () => {};

  constructor(inherited: Inherited) {
    this.inherited = inherited;
    process.on('message', ({ kind }: OldSays) => this.#onAnswer(kind));
    process.once('disconnect', () => {
      this.#isGone = true;
      this.#onAnswer(undefined);
    });
  }

  /**
   * @param env From which it is removed: processes that this one starts are given nothing of it.
   * @throws GoromdbError UPGRADE_FAILED.
   */
  static find(env: NodeJS.ProcessEnv): Predecessor | undefined {
    const text = env[HANDOVER_VARIABLE];
    delete env[HANDOVER_VARIABLE];
    return text === undefined ? undefined : new Predecessor(unpackHandover(text));
  }

  /** Says that the command line is right. Resolves when nobody else writes to the folders. */
  checked(): Promise<void> {
    return this.#ask('checked', 'go');
  }

  /** Says that this process accepts connections. Resolves when it is the one that stays. */
  ready(): Promise<void> {
    return this.#ask('ready', 'yours');
  }

  /** Says that this process does everything. @param roles The sockets that it goes on with. */
  taken(roles: readonly SocketRole[]): void {
    this.#isTaken = true;
    this.#say({ kind: 'taken', roles });
    process.channel?.unref();
  }

  /** Says why this process ends. */
  failed(message: string): void {
    if (this.#isTaken) return;
    this.#say({ kind: 'failed', message });
    // Nothing is awaited of it any more.
    process.channel?.unref();
  }

  #ask(kind: 'checked' | 'ready', awaited: OldSays['kind']): Promise<void> {
    return new Promise((resolve) => {
      this.#onAnswer = (answer) => {
        if (answer === undefined || answer === awaited) resolve();
      };
      if (this.#isGone) resolve();
      else this.#say({ kind });
    });
  }

  /** Small messages are written at once: an exit does not lose them. */
  #say(news: NewSays): void {
    // An error says that it is gone, as `disconnect` does.
    if (process.connected) process.send?.(news, undefined, undefined, () => {});
  }
}
