#include "common/kv/rocksdb_log.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/kv/rocksdb_reads.h"
#include "common/status/status.h"

namespace chartly {
namespace {

namespace fs = std::filesystem;

constexpr char kStampMark = 't';
constexpr size_t kStampBytes = 9;
constexpr size_t kCheckEveryBytes = size_t{16} << 20;

size_t BytesOf(const KvLogBatch& batch) {
  size_t bytes = sizeof(KvLogBatch);
  for (const KvBatch::Op& op : batch.batch.ops()) bytes += sizeof(op) + op.key.size() + op.value.size();
  return bytes;
}

// Takes a record of the log apart into the writes that were committed together.
class Splitter final : public rocksdb::WriteBatch::Handler {
 public:
  Splitter(uint64_t first, int64_t time_us) : next_(first), time_us_(time_us) {}
  using rocksdb::WriteBatch::Handler::Delete;
  using rocksdb::WriteBatch::Handler::Put;
  void Put(const rocksdb::Slice& key, const rocksdb::Slice& value) override { Add().Put(ToView(key), ToView(value)); }
  void Delete(const rocksdb::Slice& key) override { Add().Delete(ToView(key)); }
  void LogData(const rocksdb::Slice& blob) override {
    if (blob.size() != kStampBytes || blob[0] != kStampMark) return;
    time_us_ = static_cast<int64_t>(ReadBigEndian64(ToView(blob).substr(1)));
    begin_ = true;
  }
  rocksdb::Status MarkNoop(bool /*empty_batch*/) override { return rocksdb::Status::OK(); }

  std::vector<KvLogBatch>& batches() { return batches_; }
  int64_t time_us() const { return time_us_; }

 private:
  KvBatch& Add() {
    if (begin_ || batches_.empty()) {
      batches_.emplace_back();
      batches_.back().first = next_;
      batches_.back().time_us = time_us_;
      begin_ = false;
    }
    batches_.back().last = next_++;
    return batches_.back().batch;
  }

  uint64_t next_;
  int64_t time_us_;
  bool begin_ = true;
  std::vector<KvLogBatch> batches_;
};

struct KeptFile {
  uint64_t number = 0;
  uint64_t bytes = 0;
  std::string path;
};

// Oldest first.
std::vector<KeptFile> KeptFiles(const std::string& folder) {
  std::vector<KeptFile> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    KeptFile file;
    std::error_code gone;
    file.bytes = it->file_size(gone);
    file.path = it->path().string();
    if (gone || it->path().extension() != ".log") continue;
    if (absl::SimpleAtoi(it->path().stem().string(), &file.number)) files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const KeptFile& a, const KeptFile& b) { return a.number < b.number; });
  return files;
}

void Remove(const KeptFile& file) {
  std::error_code ignored;  // the next time
  fs::remove(file.path, ignored);
}

}  // namespace

RocksDbLog::RocksDbLog(rocksdb::DB& db, std::string path, size_t keep_bytes)
    : db_(db), path_(std::move(path)), archive_(path_ + "/archive"), keep_bytes_(keep_bytes) {
  absl::MutexLock lock(&mu_);
  DropBeyond(keep_bytes_);
}

void RocksDbLog::Close() {
  absl::MutexLock lock(&mu_);
  iterator_.reset();
}

rocksdb::Status RocksDbLog::Stamp(rocksdb::WriteBatch& batch, absl::Time time) {
  std::string stamp(1, kStampMark);
  AppendBigEndian64(stamp, static_cast<uint64_t>(absl::ToUnixMicros(time)));
  return batch.PutLogData(ToSlice(stamp));
}

absl::Status RocksDbLog::Gap(const std::string& cause) const {
  return Error(absl::StatusCode::kDataLoss, "LOG_GAP",
               absl::StrCat("the log of ", path_, " does not go on from there (", cause, ")"), {{"path", path_}});
}

absl::StatusOr<std::vector<KvLogBatch>> RocksDbLog::Read(uint64_t position, size_t bytes_max, rocksdb::Status& synced) {
  absl::MutexLock lock(&mu_);
  // Before it is made durable: what is written meanwhile is for the next time.
  const uint64_t durable = db_.GetLatestSequenceNumber();
  if (position > durable) return Gap(absl::StrCat("the store ends at ", durable, ", not at ", position));
  std::vector<KvLogBatch> batches;
  if (position == durable) return batches;
  synced = db_.SyncWAL();
  if (!synced.ok()) return batches;
  if (next_ != position + 1) {
    iterator_.reset();
    fetched_.clear();
    next_ = position + 1;
  }
  for (size_t bytes = 0; bytes < bytes_max && next_ <= durable;) {
    if (fetched_.empty()) RETURN_IF_ERROR(Fetch());
    // One that was read along and came later.
    if (fetched_.front().last > durable) break;
    next_ = fetched_.front().last + 1;
    bytes += BytesOf(fetched_.front());
    batches.push_back(std::move(fetched_.front()));
    fetched_.pop_front();
  }
  return batches;
}

absl::Status RocksDbLog::Fetch() {
  rocksdb::Status status;
  // An iterator ends with the files that there were when it was made; a new one knows the later ones.
  for (const bool is_last_try : {false, true}) {
    if (iterator_ != nullptr) {
      iterator_->Next();
      status = iterator_->status();
    } else {
      status = db_.GetUpdatesSince(next_, &iterator_);
    }
    if (status.ok() && iterator_ != nullptr && iterator_->Valid()) return Split(iterator_->GetBatch());
    iterator_.reset();
    if (is_last_try) break;
  }
  if (status.IsIOError()) return ConvertStatus(status, path_);
  return Gap(absl::StrCat("nothing is found at ", next_, ": ", status.ToString()));
}

absl::Status RocksDbLog::Split(const rocksdb::BatchResult& record) {
  Splitter splitter(record.sequence, time_us_);
  const rocksdb::Status status = record.writeBatchPtr->Iterate(&splitter);
  if (!status.ok()) {
    iterator_.reset();
    return ConvertStatus(status, path_);
  }
  time_us_ = splitter.time_us();
  for (KvLogBatch& batch : splitter.batches()) {
    if (batch.last >= next_) fetched_.push_back(std::move(batch));
  }
  if (!fetched_.empty() && fetched_.front().first == next_) return absl::OkStatus();
  const std::string found = fetched_.empty() ? "nothing" : absl::StrCat(fetched_.front().first);
  iterator_.reset();
  fetched_.clear();
  return Gap(absl::StrCat("at ", next_, " there is ", found));
}

void RocksDbLog::Forget(uint64_t position) {
  if (!is_kept()) return;
  absl::MutexLock lock(&mu_);
  rocksdb::VectorLogPtr files;
  if (!db_.GetSortedWalFiles(files).ok()) return;  // the next time
  uint64_t needed = 0;
  for (const auto& file : files) {
    if (file->StartSequence() <= position) needed = file->LogNumber();
  }
  DropBelow(needed);
}

void RocksDbLog::Wrote(size_t bytes) {
  if (!is_kept() || (unchecked_bytes_ += bytes) < kCheckEveryBytes) return;
  if (!mu_.TryLock()) return;  // a writer waits for no reader; the next write tries again
  unchecked_bytes_ = 0;
  DropBeyond(keep_bytes_);
  mu_.Unlock();
}

void RocksDbLog::Hold(bool held) {
  absl::MutexLock lock(&mu_);
  held_ = held;
}

void RocksDbLog::DropBelow(uint64_t number) {
  if (held_) return;
  for (const KeptFile& file : KeptFiles(archive_)) {
    if (file.number < number) Remove(file);
  }
}

void RocksDbLog::DropBeyond(size_t bytes) {
  if (held_) return;
  const std::vector<KeptFile> files = KeptFiles(archive_);
  uint64_t left = 0;
  for (const KeptFile& file : files) left += file.bytes;
  for (const KeptFile& file : files) {
    if (left <= bytes) return;
    Remove(file);
    left -= file.bytes;
  }
}

}  // namespace chartly
