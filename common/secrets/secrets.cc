#include "common/secrets/secrets.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr mode_t kOthers = S_IRWXO;

std::string VariableName(const SecretRef& ref) {
  std::string name = absl::AsciiStrToUpper(absl::StrCat("CHARTLY_SECRET_", ref.name, "_", ref.key));
  for (char& c : name) c = absl::ascii_isalnum(c) ? c : '_';
  return name;
}

bool IsPlainName(absl::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos;
}

}  // namespace

absl::StatusOr<std::string> Secrets::Get(const SecretRef& ref) const {
  const std::string variable = VariableName(ref);
  const std::string path = absl::StrCat(dir_, "/", ref.name, "/", ref.key);
  struct stat info {};
  if (!dir_.empty() && IsPlainName(ref.name) && IsPlainName(ref.key) && ::stat(path.c_str(), &info) == 0) {
    if ((info.st_mode & kOthers) != 0) {
      return Error(absl::StatusCode::kPermissionDenied, "SECRET_EXPOSED",
                   absl::StrCat("the secret ", path, " may be read by every user of this host; run: chmod o= ", path),
                   {{"path", path}});
    }
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    absl::string_view value = text;
    absl::ConsumeSuffix(&value, "\n");
    absl::ConsumeSuffix(&value, "\r");
    if (file && !value.empty()) return std::string(value);
  }
  const char* value = reads_environment_ ? std::getenv(variable.c_str()) : nullptr;
  if (value != nullptr && *value != 0) return std::string(value);
  return Error(
      absl::StatusCode::kNotFound, "SECRET_NOT_FOUND",
      absl::StrCat("secretRef ", ref.name, "/", ref.key, " is not on this host: ",
                   dir_.empty() ? "start the program with --secrets-dir FOLDER" : absl::StrCat("write it to ", path),
                   " or set ", variable),
      {{"name", ref.name}, {"key", ref.key}});
}

}  // namespace chartly
