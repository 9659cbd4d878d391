#include "common/kv/rocksdb_reads.h"

#include <cstdarg>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly {
namespace {

class SilentLogger final : public rocksdb::Logger {
 public:
  SilentLogger() : rocksdb::Logger(rocksdb::FATAL_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

class RocksDbIterator final : public KvIterator {
 public:
  RocksDbIterator(std::unique_ptr<rocksdb::Iterator> iterator, const std::string& path,
                  std::shared_ptr<const void> held)
      : held_(std::move(held)), iterator_(std::move(iterator)), path_(path) {}
  void Seek(absl::string_view key) override { iterator_->Seek(ToSlice(key)); }
  void SeekForPrev(absl::string_view key) override { iterator_->SeekForPrev(ToSlice(key)); }
  void Next() override { iterator_->Next(); }
  void Prev() override { iterator_->Prev(); }
  bool Valid() const override { return iterator_->Valid(); }
  absl::string_view key() const override { return ToView(iterator_->key()); }
  absl::string_view value() const override { return ToView(iterator_->value()); }
  absl::Status status() const override { return ConvertStatus(iterator_->status(), path_); }

 private:
  const std::shared_ptr<const void> held_;  // goes last
  std::unique_ptr<rocksdb::Iterator> iterator_;
  const std::string path_;
};

class NoIterator final : public KvIterator {
 public:
  explicit NoIterator(absl::Status status) : status_(std::move(status)) {}
  void Seek(absl::string_view) override {}
  void SeekForPrev(absl::string_view) override {}
  void Next() override {}
  void Prev() override {}
  bool Valid() const override { return false; }
  absl::string_view key() const override { return {}; }
  absl::string_view value() const override { return {}; }
  absl::Status status() const override { return status_; }

 private:
  const absl::Status status_;
};

}  // namespace

absl::Status StoreFull(const std::string& path, const std::string& cause) {
  return Error(
      absl::StatusCode::kResourceExhausted, "STORE_FULL",
      absl::StrCat("the disk of ", path, " is full; free some space, writes then go on by themselves (", cause, ")"),
      {{"path", path}});
}

bool IsOfFullDisk(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  const bool is_full =
      status.IsNoSpace() || (status.IsIncomplete() && absl::StrContains(text, rocksdb::Status::NoSpace().ToString()));
  return is_full && !absl::StrContains(text, "While fdatasync") && !absl::StrContains(text, "While fsync");
}

absl::Status StoreCorrupt(const std::string& path, const std::string& cause) {
  return Error(absl::StatusCode::kDataLoss, "STORE_CORRUPT",
               absl::StrCat("the store in ", path, " is damaged (", cause,
                            "); nothing was changed. Keep a copy of the folder, then restore it from a backup or "
                            "start with an empty one: drones send again what they still hold"),
               {{"path", path}});
}

absl::Status ConvertStatus(const rocksdb::Status& status, const std::string& path) {
  if (status.ok()) return absl::OkStatus();
  if (IsOfFullDisk(status)) return StoreFull(path, status.ToString());
  if (status.IsCorruption()) return StoreCorrupt(path, status.ToString());
  return Error(absl::StatusCode::kUnavailable, "STORE_IO_ERROR",
               absl::StrCat("the store in ", path, " cannot be read or written: ", status.ToString(),
                            "; check the disk, then start again"),
               {{"path", path}});
}

std::shared_ptr<rocksdb::Logger> MakeSilentLogger() { return std::make_shared<SilentLogger>(); }

absl::StatusOr<std::string> ReadValue(rocksdb::DB& db, const rocksdb::ReadOptions& options, absl::string_view key,
                                      const std::string& path) {
  std::string value;
  rocksdb::Status status = db.Get(options, ToSlice(key), &value);
  if (status.IsNotFound()) return absl::NotFoundError("no such key");
  RETURN_IF_ERROR(ConvertStatus(status, path));
  return value;
}

std::unique_ptr<KvIterator> WalkRocksDb(rocksdb::DB& db, const rocksdb::ReadOptions& options, const std::string& path,
                                        std::shared_ptr<const void> held) {
  std::unique_ptr<rocksdb::Iterator> iterator(db.NewIterator(options));
  return std::make_unique<RocksDbIterator>(std::move(iterator), path, std::move(held));
}

std::unique_ptr<KvIterator> WalkNothing(const absl::Status& status) { return std::make_unique<NoIterator>(status); }

}  // namespace chartly
