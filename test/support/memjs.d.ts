/** The part of memjs that the tests use; the package has no types of its own. */
declare module 'memjs' {
  interface Options {
    /** How often a request is sent again when it fails. */
    retries?: number;
    /** Seconds that an answer may take. */
    timeout?: number;
    logger?: { log(text: string): void };
  }

  export class Client {
    static create(servers: string, options?: Options): Client;
    get(key: string): Promise<{ value: Buffer | null; flags: Buffer | null }>;
    set(key: string, value: string): Promise<boolean>;
    add(key: string, value: string): Promise<boolean>;
    replace(key: string, value: string): Promise<boolean>;
    append(key: string, value: string): Promise<boolean>;
    prepend(key: string, value: string): Promise<boolean>;
    delete(key: string): Promise<boolean>;
    touch(key: string, seconds: number): Promise<boolean>;
    increment(key: string, amount: number, options: object): Promise<{ success: boolean }>;
    decrement(key: string, amount: number, options: object): Promise<{ success: boolean }>;
    flush(): Promise<Record<string, boolean | Error>>;
    statsWithKey(
      key: string,
      done: (error: Error | null, server: string, stats: Record<string, string> | null) => void,
    ): void;
    quit(): void;
    close(): void;
  }
}
