/**
 * Every event that a server logs, and what it means: docs/logs.md is made of it. Names are stable. They
 * say what has happened to what, the thing first.
 */
export const LOG_EVENTS = {
  // The process.
  'server-starting': 'The process has started; with its version and flags.',
  'server-listening': 'It listens for clients. The message also says which data sets have no data.',
  'server-stopping': 'A signal or a client has asked it to stop.',
  'server-stopped': 'It has stopped; as a warning: not all was closed in time.',
  'reload-begun': 'A signal has asked for a reload.',
  'reload-done': 'Drops are looked at again, and certificates, users and the token were read.',
  'reload-failed': 'A file of the reload is wrong: what was in use stays.',
  'config-read': 'The configuration file was read again.',
  'config-needs-restart': 'A key has changed that takes effect at the next start.',
  'data-sets-changed': 'Which data sets a reload has added, changed and removed.',
  'data-set-lacks-data': 'A data set has no data, or keeps what it has, until a file is dropped.',
  'data-set-failed': 'A data set that a reload has brought serves nothing new.',
  'signal-ignored': 'A signal came that is not used.',
  'descriptors-few': 'The limit on open files is too low for the limit on connections.',
  'hint-failed': '`goromdb serve` cannot say how to read its data.',
  'upgrade-begun': 'A command or SIGUSR2 has asked for an upgrade.',
  'upgrade-starting': 'The new process starts.',
  'upgrade-done': 'The new process serves; this one closes its connections and ends.',
  'upgrade-failed': 'The new process did not become ready, or this one could not leave.',
  'systemd-failed': 'systemd could not be notified.',
  'control-failed':
    'There is no control socket: `goromdb status` and `rollback` cannot reach the server.',
  // Drops.
  'drop-waits': 'A drop is there and is not loaded; with why.',
  'drop-rejected': 'A drop was quarantined, or rejected where it lies; with why.',
  'drop-taken-before': 'A drop that was taken before is still there, and is not loaded again.',
  'drop-serves-already': 'A drop has the MD5 of the serving generation, and is not loaded again.',
  'drop-stays': 'A drop was taken, and cannot or must not be removed.',
  'load-failed': 'A load has failed, and not because of the file; it is tried again.',
  'load-aborted': 'Another file took the place of the one that was being loaded.',
  'look-failed': 'The drop folder could not be looked at.',
  'watch-failed':
    'The system reports no events of the drop folder: it is looked at from time to time.',
  'drop-folder-missing': 'The drop folder is not there.',
  'drop-folder-found': 'It is there again.',
  'receipt-failed': 'A receipt could not be written.',
  'file-reading': '`goromdb serve` reads its files.',
  'file-failed': '`goromdb serve` cannot read its files: what served keeps serving.',
  'file-absent': 'A file of `goromdb serve` is not there, or not finished.',
  'file-warning': 'What the owner of a file of `goromdb serve` should know.',
  // Generations.
  'generation-serving': 'A generation serves.',
  'generation-reloaded': 'The serving generation was loaded again, since its table was damaged.',
  'data-warning': 'What the owner of the data should know of a generation.',
  'rolled-back': 'The previous generation serves again, under a new number.',
  'previous-failed': 'The previous generation could not be checked.',
  'nothing-to-serve': 'Slots have held data, and none can be served.',
  'slot-not-used': 'A slot cannot be served.',
  'slot-not-emptied': 'The other slot could not be emptied, as `-keep-previous no` asks.',
  'table-damaged': 'A table is damaged: it is made anew, or cannot be.',
  'table-not-kept': 'A table could not be kept: each start makes it anew.',
  'file-damaged': 'A scrub found the dropped file damaged in its slot.',
  'scrub-failed': 'A scrub could not read.',
  'folder-made': 'The base folder was made.',
  'folder-unusable': 'The base folder cannot be written: what the slots hold is served.',
  'folder-writable': 'Others than the owner may write to the base folder.',
  'events-not-kept': 'The list of events could not be written.',
  // Clients.
  'write-refused': 'A client has written; once a minute for each address.',
  'login-failed': 'A client could not log in; once a minute for each address.',
  'request-failed': 'A fault of the server in a request: its connection was cut off.',
  'request-slow': 'A request took as long as `-log-slow` or longer, among those that are measured.',
  'thread-died': 'A serving thread has died; whether it is replaced.',
  'thread-replaced': 'The replacement of a thread serves.',
  // The other nodes of a cluster.
  'node-silent': 'A node does not answer: clients of a Redis Cluster are not sent there.',
  'node-answers': 'It answers again.',
  'node-not-registered': 'A node of `goromdb once` could not register in etcd; it is tried again.',
  'node-registered': 'It is registered now.',
  'node-refused': 'A node is not asked for its keys, or one that asks is refused; once a minute.',
  'node-asked': 'It is asked for its keys again.',
  // HTTP.
  'http-listening': 'It listens for HTTP.',
  'http-token-wrong': 'A request without the right token; once a minute.',
  'http-action': 'A rollback, rescan or scrub over HTTP, who asked for it, and what came of it.',
} as const satisfies Record<string, string>;

export type LogEvent = keyof typeof LOG_EVENTS;
