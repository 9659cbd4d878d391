#include "drone/fetch/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"
#include "common/text/utf8.h"
#include "drone/fetch/file_errors.h"
#include "drone/fetch/file_glob.h"

namespace chartly::drone {
namespace {

namespace fs = std::filesystem;

bool HasEnding(absl::string_view name, absl::string_view ending) {
  return absl::EndsWith(absl::AsciiStrToLower(name), ending);
}

// Where in source.path the names of members begin: after the first part that is an archive, if more follows.
size_t MembersBegin(const std::string& path) {
  for (size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
    if (HasEnding(absl::string_view(path).substr(0, slash), ".zip") && slash + 1 < path.size()) return slash + 1;
  }
  return path.npos;
}

std::string FilesOf(const std::string& path) {
  size_t at = MembersBegin(path);
  return at == path.npos ? path : path.substr(0, at - 1);
}

std::string MembersOf(const std::string& path) {
  size_t at = MembersBegin(path);
  return at == path.npos ? "" : path.substr(at);
}

// Without names all are meant, but not what the packer's system left there for itself.
bool MeansMember(const std::string& names, const std::string& member) {
  std::vector<absl::string_view> parts = absl::StrSplit(member, '/');
  if (names.empty()) {
    bool hidden = std::any_of(parts.begin(), parts.end(), [](absl::string_view p) { return absl::StartsWith(p, "."); });
    return !hidden && parts[0] != "__MACOSX";
  }
  std::vector<absl::string_view> patterns = absl::StrSplit(names, '/', absl::SkipEmpty());
  return std::equal(patterns.begin(), patterns.end(), parts.begin(), parts.end(), MatchesName);
}

// Checks what was opened, not what the name meant a moment before: a link may have changed in between.
absl::Status CheckOpened(int fd, const std::string& path, const std::string& root) {
  std::error_code error;
  fs::path real = fs::read_symlink(absl::StrCat("/proc/self/fd/", fd), error);
  if (error) return FileError(path, error.value());
  if (!IsInside(real, root)) return FileOutsideError(real.string(), root);
  struct stat info {};
  if (::fstat(fd, &info) != 0) return FileError(path, errno);
  if (S_ISREG(info.st_mode)) return absl::OkStatus();
  const std::string shown = ToUtf8(path);
  return Error(absl::StatusCode::kFailedPrecondition, "FILE_UNREADABLE", absl::StrCat(shown, " is no regular file"),
               {{"path", shown}});
}

absl::StatusOr<std::shared_ptr<OpenFile>> OpenInside(const std::string& path, const std::string& root) {
  // O_NONBLOCK: a pipe of that name must not hold the run.
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return FileError(path, errno);
  auto file = std::make_shared<OpenFile>(fd, ToUtf8(path));
  RETURN_IF_ERROR(CheckOpened(fd, path, root));
  return file;
}

}  // namespace

// Holds limits and cancel against a body. Refers to its source.
class FileSource::PageBody final : public Body {
 public:
  PageBody(FileSource& source, std::unique_ptr<Body> body) : source_(source), body_(std::move(body)) {}

  absl::StatusOr<absl::string_view> Read() override {
    RETURN_IF_ERROR(source_.CheckGoesOn());
    if (over_limit_) return source_.LimitError();
    ASSIGN_OR_RETURN(absl::string_view piece, body_->Read());
    auto room = static_cast<size_t>(source_.limits_.max_bytes - source_.bytes_);
    over_limit_ = piece.size() > room;
    if (over_limit_ && room == 0) return source_.LimitError();
    piece = piece.substr(0, room);
    source_.bytes_ += static_cast<int64_t>(piece.size());
    return piece;
  }

 private:
  FileSource& source_;
  const std::unique_ptr<Body> body_;
  bool over_limit_ = false;
};

FileSource::FileSource(const Profile& profile, const SourceDeps& deps, std::string root, std::string files)
    : limits_(profile.limits),
      clock_(deps.clock),
      steady_(deps.steady_clock()),
      deadline_(deps.deadline),
      root_(std::move(root)),
      files_(std::move(files)),
      given_(FilesOf(profile.source.path)),
      member_names_(MembersOf(profile.source.path)) {}

absl::StatusOr<std::unique_ptr<Source>> FileSource::Open(const Profile& profile, const SourceDeps& deps) {
  if (deps.source_dir.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "FILE_SOURCES_OFF",
                 "this drone reads no files; start it with --source-dir FOLDER");
  }
  std::error_code error;
  fs::path root = fs::canonical(deps.source_dir, error);
  if (error) return Annotate(FileError(deps.source_dir, error.value()), "--source-dir");
  fs::path given = fs::absolute(deps.source_dir).lexically_normal();
  if (!given.has_filename()) given = given.parent_path();
  // An absolute source.path replaces root here.
  fs::path path = (root / FilesOf(profile.source.path)).lexically_normal();
  if (!IsInside(path, root) && !IsInside(path, given)) return FileOutsideError(path.string(), root.string());
  fs::path files = path.lexically_relative(IsInside(path, root) ? root : given);
  return std::unique_ptr<Source>(new FileSource(profile, deps, root.string(), files.string()));
}

absl::StatusOr<std::optional<Page>> FileSource::Next(const DecodeResult*) {
  if (cancelled_) return CancelledError();
  if (done_) return std::nullopt;
  if (!found_) {
    ASSIGN_OR_RETURN(found_, FindFiles(root_, files_));
  }
  ASSIGN_OR_RETURN(std::optional<Payload> payload, NextPayload());
  if (payload && pages_ >= limits_.max_pages) truncated_by_ = kMaxPagesLimit;
  if (payload && pages_ > 0 && bytes_ >= limits_.max_bytes) truncated_by_ = kMaxBytesLimit;
  if (payload && steady_.Now() >= deadline_) truncated_by_ = kRunTimeoutLimit;
  done_ = !payload || !truncated_by_.empty();
  if (done_) return std::nullopt;
  ++pages_;
  return Page{pages_, absl::StrCat("file:", payload->name), "",
              std::make_unique<PageBody>(*this, std::move(payload->body)), clock_.Now()};
}

absl::StatusOr<std::optional<FileSource::Payload>> FileSource::NextPayload() {
  while (true) {
    ASSIGN_OR_RETURN(std::optional<Payload> member, NextMember());
    if (member || next_file_ == found_->size()) return member;
    const std::string& found = (*found_)[next_file_++];
    std::string name = IsPattern(files_) ? ToUtf8(found) : given_;
    ASSIGN_OR_RETURN(std::shared_ptr<OpenFile> file, OpenInside(absl::StrCat(root_, "/", found), root_));
    if (!HasEnding(name, ".zip")) {
      ASSIGN_OR_RETURN(std::unique_ptr<Body> body, Unpacked(std::move(file)));
      return Payload{std::move(name), std::move(body)};
    }
    ASSIGN_OR_RETURN(members_, ReadZipDirectory(*file));
    archive_ = std::move(file);
    archive_name_ = std::move(name);
    next_member_ = 0;
    auto unmeant = [&](const ZipMember& listed) { return !MeansMember(member_names_, listed.name); };
    members_.erase(std::remove_if(members_.begin(), members_.end(), unmeant), members_.end());
    bool missing = members_.empty() && !member_names_.empty() && !IsPattern(member_names_);
    if (missing) return FileError(absl::StrCat(archive_->name(), "/", member_names_), ENOENT);
  }
}

absl::StatusOr<std::optional<FileSource::Payload>> FileSource::NextMember() {
  if (next_member_ == members_.size()) return std::nullopt;
  const ZipMember& member = members_[next_member_++];
  ASSIGN_OR_RETURN(std::unique_ptr<Body> body, OpenZipMember(archive_, member));
  return Payload{absl::StrCat(archive_name_, "/", member.name), std::move(body)};
}

absl::StatusOr<std::unique_ptr<Body>> FileSource::Unpacked(std::shared_ptr<OpenFile> file) const {
  const std::string name = file->name();
  std::unique_ptr<Body> body = std::make_unique<FileBody>(std::move(file));
  const char* encoding = HasEnding(name, ".gz") ? "gzip" : HasEnding(name, ".zst") ? "zstd" : "";
  ASSIGN_OR_RETURN(std::unique_ptr<net::Unpacker> unpacker, net::Unpacker::Create(encoding));
  if (unpacker) body = std::make_unique<UnpackedBody>(std::move(body), std::move(unpacker), name);
  return body;
}

absl::Status FileSource::CheckGoesOn() {
  if (cancelled_) return CancelledError();
  if (steady_.Now() < deadline_) return absl::OkStatus();
  truncated_by_ = kRunTimeoutLimit;
  done_ = true;
  return Error(absl::StatusCode::kDeadlineExceeded, "RUN_TIMEOUT", "limits.run_timeout of the profile is over");
}

absl::Status FileSource::LimitError() {
  if (pages_ > 1) {
    truncated_by_ = kMaxBytesLimit;
    done_ = true;
  }
  return Error(absl::StatusCode::kResourceExhausted, "SOURCE_TOO_LARGE",
               absl::StrCat("source.path ", given_, " gives more than limits.max_bytes (", limits_.max_bytes,
                            " bytes); raise it in the profile"),
               {{"limit", kMaxBytesLimit}});
}

}  // namespace chartly::drone
