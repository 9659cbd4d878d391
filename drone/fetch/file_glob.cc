#include "drone/fetch/file_glob.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"
#include "drone/fetch/file_errors.h"

namespace chartly::drone {
namespace {

namespace fs = std::filesystem;

absl::Status TooManyError(const std::string& pattern) {
  return Error(absl::StatusCode::kResourceExhausted, "FILE_TOO_MANY",
               absl::StrCat("more than ", kMaxFilesFound, " files fit source.path ", pattern,
                            "; make it narrower, or move files away once they are read"),
               {{"path", pattern}});
}

// Where the UTF-8 character after the one at `at` begins.
size_t NextCharacter(absl::string_view text, size_t at) {
  do ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80);
  return at;
}

class Finder {
 public:
  Finder(const fs::path& root, const std::string& pattern)
      : root_(root), pattern_(pattern), parts_(absl::StrSplit(pattern, '/', absl::SkipEmpty())) {}

  absl::StatusOr<std::vector<std::string>> Find() {
    RETURN_IF_ERROR(Walk("", 0));
    std::sort(found_.begin(), found_.end());
    return std::move(found_);
  }

 private:
  // Adds what the parts from `at` on mean below `folder`, which lies below the root.
  absl::Status Walk(fs::path folder, size_t at) {
    while (at + 1 < parts_.size() && !IsPattern(parts_[at])) folder /= parts_[at++];
    const bool last = at + 1 == parts_.size();
    if (!IsPattern(parts_[at])) {
      std::error_code ignored;
      if (last && fs::is_regular_file(root_ / folder / parts_[at], ignored)) return Add(folder / parts_[at]);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(std::vector<std::string> names, Names(folder, at, !last));
    for (const std::string& name : names) RETURN_IF_ERROR(last ? Add(folder / name) : Walk(folder / name, at + 1));
    return absl::OkStatus();
  }

  absl::Status Add(const fs::path& file) {
    if (found_.size() >= kMaxFilesFound) return TooManyError(pattern_);
    found_.push_back(file.string());
    return absl::OkStatus();
  }

  // The folders, or regular files, in `folder` that part `at` means.
  absl::StatusOr<std::vector<std::string>> Names(const fs::path& folder, size_t at, bool folders) const {
    std::vector<std::string> names;
    std::error_code error;
    fs::path real = fs::canonical(root_ / folder, error);
    // What another part found may lack the next one; only what the profile names itself must be there.
    const bool found_by_pattern = std::any_of(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(at),
                                              [](const std::string& part) { return IsPattern(part); });
    if (error && found_by_pattern) return names;
    if (error) return FileError((root_ / folder).string(), error.value());
    if (real != root_ && !IsInside(real, root_)) return FileOutsideError(real.string(), root_.string());
    for (fs::directory_iterator it(real, error); !error && it != fs::directory_iterator(); it.increment(error)) {
      std::string name = it->path().filename().string();
      std::error_code ignored;
      bool fits = MatchesName(parts_[at], name) && (folders ? it->is_directory(ignored) : it->is_regular_file(ignored));
      if (fits) names.push_back(std::move(name));
      if (names.size() > kMaxFilesFound) return TooManyError(pattern_);
    }
    if (error && !found_by_pattern) return FileError(real.string(), error.value());
    return names;
  }

  const fs::path root_;
  const std::string pattern_;
  const std::vector<std::string> parts_;
  std::vector<std::string> found_;
};

}  // namespace

bool IsPattern(absl::string_view text) { return text.find_first_of("*?") != text.npos; }

bool MatchesName(absl::string_view pattern, absl::string_view name) {
  if (absl::StartsWith(name, ".") && !absl::StartsWith(pattern, ".")) return false;
  size_t p = 0;
  size_t n = 0;
  size_t star = pattern.npos;  // the last one seen, and where in the name what it takes ends so far
  size_t taken = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      n = NextCharacter(name, n);
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != pattern.npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == pattern.npos;
}

absl::StatusOr<std::vector<std::string>> FindFiles(const std::string& root, const std::string& pattern) {
  if (!IsPattern(pattern)) return std::vector<std::string>{pattern};
  return Finder(root, pattern).Find();
}

}  // namespace chartly::drone
