// A file source: one page, the file. See source.h for the contract.
#ifndef CHARTLY_DRONE_FETCH_FILE_SOURCE_H_
#define CHARTLY_DRONE_FETCH_FILE_SOURCE_H_

#include <atomic>
#include <memory>
#include <string>

#include "drone/fetch/source.h"

namespace chartly::drone {

class FileSource final : public Source {
 public:
  // PermissionDenied (FILE_OUTSIDE_SOURCE_DIR) if source.path leads out of the drone's source folder by its text;
  // FailedPrecondition (FILE_SOURCES_OFF) if the drone has no source folder.
  static absl::StatusOr<std::unique_ptr<Source>> Open(const Profile& profile, const SourceDeps& deps);

  // FILE_NOT_FOUND names the full path; FILE_OUTSIDE_SOURCE_DIR if a link leads out; SOURCE_TOO_LARGE.
  absl::StatusOr<std::optional<Page>> Next(const DecodeResult* previous) override;
  const std::string& truncated_by() const override { return truncated_by_; }
  void Cancel() override { cancelled_ = true; }

 private:
  FileSource(const Profile& profile, const SourceDeps& deps, std::string root, std::string path);

  const std::string name_;  // as in the profile
  const int64_t max_bytes_;
  Clock& clock_;
  const std::string root_;  // the source folder, without links
  const std::string path_;
  std::string truncated_by_;
  bool done_ = false;
  std::atomic<bool> cancelled_{false};
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_FILE_SOURCE_H_
