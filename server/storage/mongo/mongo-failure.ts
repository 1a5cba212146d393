/** What the driver's errors mean to the port: the engine is gone, the key is taken, or the request does not fit. */
import {
  MongoBulkWriteError,
  MongoDriverError,
  MongoError,
  MongoInvalidArgumentError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
} from "mongodb";
import { StorageUnavailableError } from "../collection.ts";

/** E11000 */
const duplicateKey = 11_000;

/** Codes that say the request does not fit the document or the server; whatever else a server says, it could not do its work. */
const refusals: ReadonlySet<number> = new Set([
  // BadValue, FailedToParse, TypeMismatch, Overflow, PathNotViable, ConflictingUpdateOperators
  ...[2, 9, 14, 15, 28, 40],
  // DollarPrefixedFieldName, NotSingleValueField, InvalidDBRef, EmptyFieldName, DottedFieldName, ImmutableField, NotImplemented
  ...[52, 54, 55, 56, 57, 66, 238],
  // Larger than 16 MiB, before and after an update; a list as part of an index key of two lists; a key too long for an index
  ...[10_334, 17_419, 17_420, 171, 17_280],
]);

/** The driver lets these of Node through as they are when a connection breaks while it writes. */
const brokenSocket: ReadonlySet<unknown> = new Set([
  ...["EPIPE", "ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN"],
  ...["ERR_STREAM_DESTROYED", "ERR_STREAM_WRITE_AFTER_END", "ERR_STREAM_PREMATURE_CLOSE", "ERR_SOCKET_CLOSED"],
]);

export function isDuplicateKey(error: unknown): error is MongoServerError {
  // FerretDB says so of an insert; of an update it passes on what SQLite says.
  return error instanceof MongoServerError && (error.code === duplicateKey || error.message.includes("UNIQUE constraint failed"));
}

/** The name of the index on the server, where it says so. */
export function indexOfDuplicate(error: MongoServerError): string | undefined {
  return / index: (\S+)/.exec(error.message)?.[1];
}

export function isDuplicateWrite({ code, message }: { readonly code: number; readonly message: string | undefined }): boolean {
  return code === duplicateKey || message?.includes("UNIQUE constraint failed") === true;
}

export function isRefusal(code: unknown): boolean {
  return typeof code === "number" && refusals.has(code);
}

/** The error to throw for one of the driver's; anything else as it is. */
export function portError(error: unknown): unknown {
  if (isBrokenSocket(error)) return new StorageUnavailableError(causeOf(error));
  if (!(error instanceof MongoError) || isDuplicateKey(error)) return error;
  if (error instanceof MongoServerError && !(error instanceof MongoBulkWriteError) && isRefusal(error.code)) return error;
  // A call the driver itself refuses is ours.
  if (error instanceof MongoInvalidArgumentError) return error;
  return new StorageUnavailableError(causeOf(error));
}

/** One line for a person; no address with a password in it. */
export function causeOf(error: unknown): string {
  if (error instanceof MongoServerSelectionError || error instanceof MongoNetworkError || isBrokenSocket(error)) {
    return `MongoDB does not answer: ${oneLine(error.message)}`;
  }
  if (error instanceof MongoDriverError) return `MongoDB cannot be used now: ${oneLine(error.message)}`;
  if (error instanceof MongoServerError) return `MongoDB refuses: ${oneLine(error.message)}`;
  return oneLine(error instanceof Error ? error.message : String(error));
}

function isBrokenSocket(error: unknown): error is Error {
  return error instanceof Error && "code" in error && brokenSocket.has(error.code);
}

function oneLine(message: string): string {
  return message.replaceAll(/\s*\n\s*/g, " ").replaceAll(/\/\/[^/@\s]*@/g, "//");
}
