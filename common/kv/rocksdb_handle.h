// Leads to the opening of a RocksDB store that is in use, and opens the store anew where RocksDB stopped for a full
// disk (docs/adr/0047-*). Thread-safe.
//
// After an fsync error the kernel may have marked the lost pages clean, so a second fsync would lie: the store takes no
// writes until the process starts again. A full disk is no such error.
#ifndef CHARTLY_COMMON_KV_ROCKSDB_HANDLE_H_
#define CHARTLY_COMMON_KV_ROCKSDB_HANDLE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/kv/rocksdb_opening.h"

namespace chartly {

using OpeningPtr = std::shared_ptr<RocksDbOpening>;

class RocksDbHandle {
 public:
  RocksDbHandle(OpeningPtr opening, std::string path, const KvOptions& options)
      : path_(std::move(path)),
        options_(options),
        reserve_bytes_(opening->buffer_bytes()),
        opening_(std::move(opening)) {}

  // Whoever comes first after a full disk opens the store anew, if there is room and nobody reads the old opening any
  // more; else the old one still serves reads. Not OK only if it could not be opened again.
  absl::StatusOr<OpeningPtr> ForRead();
  // ResourceExhausted (STORE_FULL): there is no room for so many bytes, or somebody still reads. What made the store
  // unfit for writes: Unavailable (STORE_IO_ERROR), DataLoss (STORE_CORRUPT).
  absl::StatusOr<OpeningPtr> ForWrite(size_t bytes);
  // Takes note of what a write came to, and says it as a status.
  absl::Status RecordFailure(const rocksdb::Status& status, RocksDbOpening& opening);
  uint64_t LastSequence();

 private:
  // The one in use, null if RocksDB stopped.
  OpeningPtr Sound();
  // A disk that is nearly full is refused before RocksDB meets it, with room left to flush what is in memory. The bytes
  // that are free; the most there are if that cannot be told.
  absl::StatusOr<uint64_t> CheckSpace(size_t bytes) const;
  // Closes the store and opens it again, once all that read it have ended; those that begin wait a while for that. OK
  // if there is nothing to be done.
  absl::Status OpenAnew();
  absl::Status CloseForAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_, opening_mu_);

  const std::string path_;
  const KvOptions options_;
  const size_t reserve_bytes_;
  std::atomic<uint64_t> last_sequence_{0};  // when it was closed last
  absl::Mutex mu_ ABSL_ACQUIRED_BEFORE(opening_mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  absl::Time next_try_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Duration max_wait_ ABSL_GUARDED_BY(mu_) = absl::ZeroDuration();  // for reads to end; 0: the least
  absl::Mutex opening_mu_;
  OpeningPtr opening_ ABSL_GUARDED_BY(opening_mu_);  // null: it could not be opened again
};

}  // namespace chartly

#endif  // CHARTLY_COMMON_KV_ROCKSDB_HANDLE_H_
