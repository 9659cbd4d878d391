// An ordered key-value store with atomic durable writes: what every store here is built on. RocksDB lies behind it
// (rocksdb_*.cc, the only files that see it).
//
// Thread-safe. One process owns a folder; a second opener gets FailedPrecondition (STORE_LOCKED). After a write fails
// with DataLoss or Unavailable every later write fails the same way until the store is opened again (an fsync error
// is never retried); ResourceExhausted (STORE_FULL) means the disk is full and a later write may succeed. A write that
// fails leaves nothing behind.
#ifndef CHARTLY_COMMON_KV_KV_STORE_H_
#define CHARTLY_COMMON_KV_KV_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/clock/clock.h"

namespace chartly {

class KvBatch {
 public:
  void Put(absl::string_view key, absl::string_view value) {
    ops_.push_back({std::string(key), std::string(value), true});
  }
  void PutOwned(std::string key, std::string value) { ops_.push_back({std::move(key), std::move(value), true}); }
  void Delete(absl::string_view key) { ops_.push_back({std::string(key), std::string(), false}); }
  bool empty() const { return ops_.empty(); }
  struct Op {
    std::string key;
    std::string value;
    bool put;
  };
  const std::vector<Op>& ops() const { return ops_; }

 private:
  std::vector<Op> ops_;
};

// Walks keys in byte order over the state at its creation. Not thread-safe. Views live until the next move.
class KvIterator {
 public:
  virtual ~KvIterator() = default;
  virtual void Seek(absl::string_view key) = 0;         // first key >= key
  virtual void SeekForPrev(absl::string_view key) = 0;  // last key <= key
  virtual void Next() = 0;
  virtual void Prev() = 0;
  virtual bool Valid() const = 0;
  virtual absl::string_view key() const = 0;
  virtual absl::string_view value() const = 0;
  virtual absl::Status status() const = 0;  // not OK if it stopped on damage
};

class KvReader {
 public:
  virtual ~KvReader() = default;
  // NotFound if there is none.
  virtual absl::StatusOr<std::string> Get(absl::string_view key) const = 0;
  virtual std::unique_ptr<KvIterator> NewIterator() const = 0;
};

// A backup of one store in a folder of backups (kv_backup.h).
struct KvBackup {
  struct File {
    std::string path;  // below the folder
    int64_t bytes = 0;
  };
  uint32_t number = 0;         // grows with each backup in the folder
  int64_t copied_bytes = 0;    // of files that no earlier backup had
  uint64_t last_sequence = 0;  // of the last write in it
  std::vector<File> files;     // all that it needs, in order of paths; files never change
};

// A write as it stands in the log of a store. What is put or deleted is numbered, one after another.
struct KvLogBatch {
  uint64_t first = 0;   // number of what it puts or deletes first
  uint64_t last = 0;    // and last
  int64_t time_us = 0;  // when it was begun, by the clock of the store, in microseconds since 1970
  KvBatch batch;
};

// What backups take of a store. Thread-safe.
class KvSource {
 public:
  virtual ~KvSource() = default;
  // Copies the state of some moment during the call into `folder`, which is made if absent and holds backups of this
  // store alone, while reads and writes go on. Files that earlier backups brought there are shared. On OK it is on
  // disk. ResourceExhausted (BACKUP_NO_SPACE): what has to be copied does not fit; nothing was. STORE_FULL: the
  // disk of the store has no room for what is in memory. Cancelled once `stopped` says true; it is asked now and then.
  // What a failure leaves behind goes with the next backup.
  virtual absl::StatusOr<KvBackup> BackUp(const std::string& folder, const std::function<bool()>& stopped) = 0;
  // Of this store and of no copy of it: one that is restored has another. Unavailable (STORE_IO_ERROR).
  virtual absl::StatusOr<std::string> Identity() const = 0;
  // The number of what was written last.
  virtual uint64_t LastSequence() const = 0;
  // What was written behind the number `position`, in order and without a gap: whole writes, about `bytes_max` of them
  // and at least one if there is any. Makes durable what it gives. A write that was over when the call began is there,
  // and none behind one that is missing. DataLoss (LOG_GAP) if the log does not go back so far, or the store never came
  // so far. Cheap if each call begins where the one before ended.
  virtual absl::StatusOr<std::vector<KvLogBatch>> ReadLog(uint64_t position, size_t bytes_max) = 0;
  // The log may go up to there; the write of that number stays.
  virtual void ForgetLog(uint64_t position) = 0;
};

class KvStore : public KvReader, public KvSource {
 public:
  // All or nothing. On OK with `sync` the batch, and every batch before it, is fsynced. ResourceExhausted (STORE_FULL):
  // there is no room, or there was none and somebody still reads what was there before (docs/adr/0047-*); try again.
  // Unavailable (STORE_IO_ERROR), DataLoss (STORE_CORRUPT): for as long as the store is open.
  virtual absl::Status Write(const KvBatch& batch, bool sync) = 0;
  // The state of now, which no later write changes. Must go before the store does; holds disk space while it lives.
  virtual std::unique_ptr<KvReader> Snapshot() const = 0;
};

struct KvOptions {
  size_t memory_bytes = size_t{64} << 20;  // write buffers and block cache together
  bool large_values = false;               // values of 64 KiB and more: no second compression, larger buffers
  // Bytes of the log that stay for ReadLog beside what the store itself needs of it; the oldest goes when there are
  // more. 0: none, and ReadLog finds little.
  size_t keep_log_bytes = 0;
  Clock* clock = nullptr;  // of the times in the log; must outlive the store. Null: that of the machine
};

// Opens or creates the store in `path`.
absl::StatusOr<std::unique_ptr<KvStore>> OpenKvStore(const std::string& path, const KvOptions& options = {});

// The smallest key greater than every key with this prefix; empty if there is none.
std::string PrefixEnd(absl::string_view prefix);
// Eight bytes, big-endian, so that numbers sort as keys.
void AppendBigEndian64(std::string& out, uint64_t number);
uint64_t ReadBigEndian64(absl::string_view bytes);

}  // namespace chartly

#endif  // CHARTLY_COMMON_KV_KV_STORE_H_
