/** goromdb as a library. The command line is built on the same parts. */
export { type Goromdb, type GoromdbDataSets, startDataSets, startGoromdb } from './app/app.ts';
export type {
  DataSetsOptions,
  DataSetsPlan,
  GoromdbOptions,
  PrefixedDataSet,
  ServerOptions,
} from './app/options.ts';
export { type BuildRequest, type Built, buildTable } from './build/build.ts';
export type { RowFormat } from './build/read-rows.ts';
export type { RejectedRow } from './build/rejected.ts';
export type { RowLayout } from './build/rows/row-record.ts';
export { type Address, formatAddress, parseAddress } from './common/address.ts';
export { type ErrorCode, GoromdbError } from './common/errors.ts';
export { createLineLogger, type Logger, silentLogger } from './common/log.ts';
export type * from './common/status.ts';
export { VERSION } from './common/version.ts';
export type { DataSetOptions } from './data-sets/data-set.ts';
export type { Handler, View, ViewSource } from './handler/handler.ts';
export { createSimpleHandler } from './handler/simple.ts';
export type { HttpOptions } from './http/http.ts';
export { type CheckOptions, type CheckReport, checkFile } from './inspect/check.ts';
export { type Diff, type Difference, type DiffOptions, diffFiles } from './inspect/diff.ts';
export { type FileRecord, findRecords } from './inspect/find.ts';
export type { ReadOptions } from './inspect/inspect.ts';
export { openTableFile } from './inspect/open-table.ts';
export { readRecords } from './inspect/read-records.ts';
export type { Canary, Guards } from './loader/generations/guards.ts';
export type { KeepPrevious } from './loader/slots/rollback.ts';
export { binaryProtocol } from './protocol/binary/binary.ts';
export { COUNTER_NAMES, type CounterName, type Counters } from './protocol/counters.ts';
export { detectingProtocol } from './protocol/detect/detect.ts';
export { memcachedProtocol } from './protocol/memcached/memcached.ts';
export type {
  Authenticate,
  ConnectionFacts,
  Protocol,
  RequestLimits,
  ServerFacts,
  Session,
  SessionContext,
  SessionSettings,
  SessionState,
} from './protocol/protocol.ts';
export { type Lent, Reply } from './protocol/reply.ts';
export { respProtocol } from './protocol/resp/resp.ts';
export { SharedParts } from './protocol/shared-parts.ts';
export type { AccessOptions, TlsFiles } from './server/access.ts';
export { type CreateServerOptions, createServer } from './server/create-server.ts';
export { DEFAULT_LIMITS, type Limits } from './server/limits.ts';
export type { Server } from './server/server.ts';
export { type PlaceWanted, placeOf, type ShardPlace } from './shards/place.ts';
export type { Shard, ShardHash, ShardNode, Topology } from './shards/shards.ts';
export { readShards } from './shards/shards-file.ts';
export { bdbScanner } from './storage/formats/bdb/bdb.ts';
export { memcachedbScanner } from './storage/formats/bdb/memcachedb.ts';
export { boltScanner } from './storage/formats/bolt/bolt.ts';
export { jsonLinesScanner, jsonScanner } from './storage/formats/json/json.ts';
export { lmdbScanner } from './storage/formats/lmdb/lmdb.ts';
export {
  type FieldOptions,
  KEY_BYTES_MAX,
  type NamespaceOptions,
  type RecordSink,
  type ScanInput,
  type Scanner,
  type ScanOptions,
  VALUE_BYTES_MAX,
} from './storage/scanners/scanner.ts';
export {
  BATCH_KEYS_MAX,
  type Batch,
  type DataSetInfo,
  type Entry,
  type Lease,
  type RecordVisitor,
  type Storage,
} from './storage/storage.ts';
export { openTable, type TableParts } from './storage/table/table.ts';
export { TableBuilder, type TableInMemory } from './storage/table/table-builder.ts';
export type { Region, TableLayout } from './storage/table/table-layout.ts';
