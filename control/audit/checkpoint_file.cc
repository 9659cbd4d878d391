#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/crypto/signed_note.h"
#include "common/status/status.h"
#include "control/audit/checkpoint_export.h"

namespace chartly::audit {
namespace {

absl::Status Failed(const std::string& path, absl::string_view what) {
  return Error(absl::StatusCode::kFailedPrecondition, "CHECKPOINT_FILE_FAILED",
               absl::StrCat("cannot ", what, " the file of checkpoints ", path, ": ", std::strerror(errno)),
               {{"path", path}});
}

class CheckpointFile final : public CheckpointExport {
 public:
  CheckpointFile(std::string path, int fd, std::string last)
      : path_(std::move(path)), fd_(fd), last_(std::move(last)) {}
  ~CheckpointFile() override { ::close(fd_); }

  const char* way() const override { return "file"; }
  absl::Status Export(const SignedCheckpoint& checkpoint) override {
    const off_t end = ::lseek(fd_, 0, SEEK_END);
    const std::string& note = checkpoint.note;
    if (::write(fd_, note.data(), note.size()) == static_cast<ssize_t>(note.size()) && ::fdatasync(fd_) == 0) {
      return absl::OkStatus();
    }
    absl::Status failed = Failed(path_, "write");
    // Half of a note would make what follows unreadable.
    if (end >= 0 && ::ftruncate(fd_, end) != 0) return Failed(path_, "repair");
    return failed;
  }
  absl::StatusOr<std::string> Last() const override { return last_; }

 private:
  const std::string path_;
  const int fd_;
  const std::string last_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CheckpointExport>> OpenCheckpointFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  absl::StatusOr<std::vector<std::string>> notes = SplitNotes(text);
  if (!notes.ok()) return Annotate(notes.status(), path);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return Failed(path, "open");
  return std::make_unique<CheckpointFile>(path, fd, notes->empty() ? "" : notes->back());
}

}  // namespace chartly::audit
