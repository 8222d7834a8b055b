/**
 * Every event that a server logs, and what it means: docs/logs.md is made of it. Names are stable. They
 * say what has happened to what, the thing first.
 */
export const LOG_EVENTS = {
  // The process.
  'server-starting': 'The process starts. The message has its version and flags.',
  'server-listening':
    'The server listens for clients. The message also names data sets without data.',
  'server-stopping': 'A signal or a client asked the server to stop.',
  'server-stopped': 'The server stopped. A warning: it could not close everything in time.',
  'reload-begun': 'A signal asked for a reload.',
  'reload-done':
    'The server looks at the drops again, and has read certificates, users and the token again.',
  'reload-failed': 'A file of the reload is wrong. The old settings stay.',
  'config-read': 'The server read the configuration file again.',
  'config-needs-restart': 'A changed key takes effect at the next start only.',
  'data-sets-changed': 'A reload added, changed or removed data sets. The message names them.',
  'data-set-lacks-data':
    'Until a file is dropped, a data set has no data, or keeps the data that it has.',
  'data-set-failed': 'A data set of a reload cannot be loaded, and serves nothing new.',
  'signal-ignored': 'The server got a signal that it does not use.',
  'descriptors-few': 'The limit on open files is too low for the limit on connections.',
  'hint-failed': '`goromdb serve` cannot say how to read its data.',
  'upgrade-begun': 'A command or SIGUSR2 asked for an upgrade.',
  'upgrade-starting': 'The new process starts.',
  'upgrade-done': 'The new process serves. This one closes its connections and ends.',
  'upgrade-failed': 'The new process did not become ready, or this one could not hand over.',
  'systemd-failed': 'The server could not notify systemd.',
  'control-failed':
    'There is no control socket: `goromdb status` and `rollback` cannot reach the server.',
  // Drops.
  'drop-waits': 'A drop cannot be loaded now. The message says why.',
  'drop-rejected': 'A drop was quarantined, or rejected where it lies. The message says why.',
  'drop-taken-before': 'A drop that was taken before is still there. It is not loaded again.',
  'drop-serves-already': 'A drop has the MD5 of the serving generation. It is not loaded again.',
  'drop-stays': 'A drop was taken, but it cannot or must not be removed.',
  'load-failed': 'A load failed for another reason than the file. It is tried again.',
  'load-aborted': 'A load was aborted: another file took the place of the one that was loaded.',
  'look-failed': 'The server could not look at the drop folder.',
  'watch-failed':
    'The system reports no events of the drop folder. The server looks at it periodically.',
  'drop-folder-missing': 'The drop folder is missing.',
  'drop-folder-found': 'The drop folder is there again.',
  'receipt-failed': 'A receipt could not be written.',
  'file-reading': '`goromdb serve` reads its files.',
  'file-failed': '`goromdb serve` cannot read its files. The old data keeps serving.',
  'file-absent': 'A file of `goromdb serve` is missing or not complete.',
  'file-warning': '`goromdb serve` read a file, and warns its owner of something.',
  // Generations.
  'generation-serving': 'A generation serves.',
  'generation-reloaded': 'The serving generation was loaded again, since its table was damaged.',
  'data-warning': 'A generation serves, and the owner of the data should know something about it.',
  'rolled-back': 'The previous generation serves again, under a new number.',
  'previous-failed': 'The previous generation could not be checked.',
  'nothing-to-serve': 'The slots have held data, but none of it can be served.',
  'slot-not-used': 'A slot cannot be served.',
  'slot-not-emptied': 'The other slot could not be emptied, as `-keep-previous no` requires.',
  'table-damaged': 'A table is damaged. The message says whether it is rebuilt.',
  'table-not-kept': 'A table could not be stored: every start rebuilds it.',
  'file-damaged': 'A scrub found the dropped file damaged in its slot.',
  'scrub-failed': 'A scrub could not read.',
  'folder-made': 'The base folder was created.',
  'folder-unusable': 'The base folder is not writable. The server serves what the slots hold.',
  'folder-writable': 'Other users may write to the base folder.',
  'events-not-kept': 'The list of events could not be written.',
  // Clients.
  'write-refused': 'A client sent a write; once a minute for each address.',
  'login-failed': 'A client could not log in; once a minute for each address.',
  'request-failed': 'A request failed by a fault of the server. Its connection was closed.',
  'request-slow': 'A request took as long as `-log-slow` or longer, among those that are measured.',
  'thread-died': 'A serving thread died. The message says whether it is replaced.',
  'thread-replaced': 'The replacement of a thread serves.',
  // The other nodes of a cluster.
  'node-differs':
    'The shards.toml of another node distributes keys differently: during a split, or by mistake.',
  'node-silent': 'A node does not answer. Redis Cluster clients are not sent to it.',
  'node-answers': 'The node answers again.',
  'node-not-registered': 'A node of `goromdb once` could not register in etcd. It tries again.',
  'node-registered': 'The node is registered.',
  'cache-warm': 'A node of `goromdb once -warm` has read the existing keys.',
  'cache-warming-failed': 'The node does not see what other nodes create. It tries again.',
  'node-refused':
    'The server does not ask a node for keys, or refuses one that asks; once a minute.',
  'node-asked': 'The server asks the node for keys again.',
  // HTTP.
  'http-listening': 'The server listens for HTTP.',
  'http-token-wrong': 'A request came without the right token; once a minute.',
  'http-action':
    'A rollback, rescan or scrub over HTTP. The message says who asked for it, and its outcome.',
} as const satisfies Record<string, string>;

export type LogEvent = keyof typeof LOG_EVENTS;
