#include "common/backup/log_archiver.h"

namespace chartly::backup {

void LogArchiver::AddPart(const std::string& part, KvSource& source) {
  parts_[part] = std::make_unique<PartLog>(part, folder_.PartFolder(part), source, clock_);
}

PartLog* LogArchiver::Find(const std::string& part) const {
  const auto found = parts_.find(part);
  return found == parts_.end() ? nullptr : found->second.get();
}

std::string LogArchiver::Fault(const std::string& part) const {
  const PartLog* log = Find(part);
  return log == nullptr ? "" : log->Fault();
}

void LogArchiver::Start() {
  thread_ = std::thread([this] {
    do {
      ArchiveAll();
    } while (!clock_.WaitFor(interval_, stop_));
  });
}

void LogArchiver::Shutdown() {
  if (!thread_.joinable()) return;
  stop_.Notify();
  thread_.join();
  ArchiveAll();
}

void LogArchiver::ArchiveAll() {
  for (const auto& [name, log] : parts_) log->Archive();
}

}  // namespace chartly::backup
