#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::rdb {

// The constants of the RDB format, shared by writer and reader.
//
//   "REDIS" version (4 digits) | records | 255 | CRC-64 of all before it (8 bytes LE, 0: none)
//
// A record is an opcode with its operands, or a value type, a key and a value. Versions from 80 on
// begin with "VALKEY" and three digits.

inline constexpr int kVersion = 11;
// What a full sync sends to a replica that did not say which version it reads.
inline constexpr int kVersionForUnknownReplica = 10;
inline constexpr int kOldestVersion = 1;
// Versions from here up to kFirstValkeyVersion belong to another product.
inline constexpr int kFirstForeignVersion = 12;
inline constexpr int kFirstValkeyVersion = 80;
inline constexpr int kNewestVersion = 80;
// The first one with fields that expire; written only where there are any, since no server before
// Valkey 9 reads it.
inline constexpr int kVersionWithFieldExpiry = 80;

inline constexpr size_t kHeaderBytes = 9;
inline constexpr size_t kChecksumBytes = 8;
// Version (2 bytes LE) and CRC-64 (8 bytes LE) behind the payload of DUMP and FUNCTION DUMP.
inline constexpr size_t kPayloadFooterBytes = 10;

inline constexpr int kFirstVersionWithChecksum = 5;

enum Opcode : uint8_t {
  kSlotImport = 243,
  kSlotInfo = 244,
  kFunction = 245,
  kFunctionPreRelease = 246,
  kModuleAux = 247,
  kIdle = 248,
  kFrequency = 249,
  kAux = 250,
  kResizeDatabase = 251,
  kExpireMs = 252,
  kExpireSeconds = 253,
  kSelectDatabase = 254,
  kEndOfFile = 255,
};

enum Type : uint8_t {
  kString = 0,
  kList = 1,
  kSet = 2,
  kSortedSet = 3,
  kHash = 4,
  kSortedSet2 = 5,
  kModule = 6,
  kModule2 = 7,
  kHashZipmap = 9,
  kListZiplist = 10,
  kSetIntset = 11,
  kSortedSetZiplist = 12,
  kHashZiplist = 13,
  kListQuicklist = 14,
  kStreamListpacks = 15,
  kHashListpack = 16,
  kSortedSetListpack = 17,
  kListQuicklist2 = 18,
  kStreamListpacks2 = 19,
  kSetListpack = 20,
  kStreamListpacks3 = 21,
  kHashFieldExpiry = 22,
};
inline constexpr uint8_t kLastType = kHashFieldExpiry;

// Whether values of this type hold packed data (listpacks, intsets and their forerunners).
constexpr bool is_packed(uint8_t type) { return type >= kHashZipmap && type <= kStreamListpacks3; }

// What a node of kListQuicklist2 is: one large element, or a listpack.
inline constexpr uint64_t kPlainNode = 1;
inline constexpr uint64_t kPackedNode = 2;

// The first byte of a length; the two high bits choose the form, or a specially encoded string.
inline constexpr uint8_t kLength6Bit = 0;
inline constexpr uint8_t kLength14Bit = 1;
inline constexpr uint8_t kLengthLong = 2;
inline constexpr uint8_t kLengthSpecial = 3;
inline constexpr uint8_t kLength32 = 0x80;  // 4 bytes big-endian follow
inline constexpr uint8_t kLength64 = 0x81;  // 8 bytes big-endian follow

// The low six bits of a specially encoded string's first byte.
enum StringEncoding : uint8_t { kInt8 = 0, kInt16 = 1, kInt32 = 2, kLzf = 3 };

// Strings no longer than this are never compressed.
inline constexpr size_t kMinCompressedBytes = 20;
// Strings up to this long are stored as integers when they are one.
inline constexpr size_t kMaxIntegerChars = 11;

// The records inside a module's value and auxiliary data, enough to skip them.
enum ModuleOpcode : uint64_t {
  kModuleEnd = 0,
  kModuleSigned = 1,
  kModuleUnsigned = 2,
  kModuleFloat = 3,
  kModuleDouble = 4,
  kModuleString = 5,
};

}  // namespace tandem::rdb
