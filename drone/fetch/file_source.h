// A file source: one file, or all that a path with * and ? means, each a page, in order of name. Packed files (.gz,
// .zst) are unpacked while they are read; every member of a .zip file is a page. A path may go on into an archive:
// in/x.zip/*.csv. See source.h for the contract.
#ifndef CHARTLY_DRONE_FETCH_FILE_SOURCE_H_
#define CHARTLY_DRONE_FETCH_FILE_SOURCE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drone/fetch/file_body.h"
#include "drone/fetch/source.h"
#include "drone/fetch/zip_archive.h"

namespace chartly::drone {

class FileSource final : public Source {
 public:
  // PermissionDenied (FILE_OUTSIDE_SOURCE_DIR) if source.path leads out of the drone's source folder by its text;
  // FailedPrecondition (FILE_SOURCES_OFF) if the drone has no source folder.
  static absl::StatusOr<std::unique_ptr<Source>> Open(const Profile& profile, const SourceDeps& deps);

  // FILE_NOT_FOUND names the full path; FILE_OUTSIDE_SOURCE_DIR if a link leads out; FILE_UNREADABLE, FILE_TOO_MANY,
  // ARCHIVE_UNSUPPORTED. A path with * or ? that no file fits gives no page.
  absl::StatusOr<std::optional<Page>> Next(const DecodeResult* previous) override;
  const std::string& truncated_by() const override { return truncated_by_; }
  void Cancel() override { cancelled_ = true; }

 private:
  class PageBody;
  struct Payload {
    std::string name;  // for people: as in the profile, or relative to the source folder
    std::unique_ptr<Body> body;
  };

  FileSource(const Profile& profile, const SourceDeps& deps, std::string root, std::string files);
  absl::Status CheckGoesOn();
  absl::StatusOr<std::optional<Payload>> NextPayload();
  absl::StatusOr<std::optional<Payload>> NextMember();
  absl::StatusOr<std::unique_ptr<Body>> Unpacked(std::shared_ptr<OpenFile> file) const;
  absl::Status LimitError();

  const LimitsConfig limits_;
  Clock& clock_;
  Clock& steady_;
  const absl::Time deadline_;
  const std::string root_;   // the source folder, without links
  const std::string files_;  // path or pattern, relative to root_
  const std::string given_;  // the same as the profile writes it
  const std::string member_names_;
  std::optional<std::vector<std::string>> found_;  // what files_ means, once it was looked for
  size_t next_file_ = 0;
  std::shared_ptr<OpenFile> archive_;
  std::string archive_name_;
  std::vector<ZipMember> members_;  // of archive_ that are read
  size_t next_member_ = 0;
  uint32_t pages_ = 0;
  int64_t bytes_ = 0;
  std::string truncated_by_;
  bool done_ = false;
  std::atomic<bool> cancelled_{false};
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_FETCH_FILE_SOURCE_H_
