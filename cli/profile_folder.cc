#include "cli/profile_folder.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

extern char** environ;

namespace chartly::cli {
namespace {

namespace fs = std::filesystem;

bool IsProfileFile(const fs::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }
bool IsHidden(const fs::path& path) { return absl::StartsWith(path.filename().string(), "."); }

absl::Status Unreadable(const std::string& path, const std::error_code& error) {
  return Error(absl::StatusCode::kInvalidArgument, "FILE_UNREADABLE",
               absl::StrCat("cannot read ", path, ": ", error ? error.message() : "no such file or folder"),
               {{"file", path}});
}

absl::Status AddFolder(const std::string& folder, std::vector<std::string>& files) {
  std::error_code error;
  std::vector<std::string> found;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (IsHidden(entry->path())) {
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->is_regular_file() && IsProfileFile(entry->path())) found.push_back(entry->path().string());
  }
  if (error) return Unreadable(folder, error);
  std::sort(found.begin(), found.end());
  files.insert(files.end(), found.begin(), found.end());
  return absl::OkStatus();
}

// What `git -C FOLDER ...` prints; nothing if it fails or is not there. No shell reads the arguments.
std::optional<std::string> Git(const std::string& folder, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"git", "-C", folder});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) return std::nullopt;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, "git", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe_ends[1]);
  std::string output;
  char buffer[4096];
  ssize_t got = 0;
  while (failed == 0 && ((got = ::read(pipe_ends[0], buffer, sizeof(buffer))) > 0 || (got < 0 && errno == EINTR))) {
    if (got > 0) output.append(buffer, static_cast<size_t>(got));
  }
  ::close(pipe_ends[0]);
  int status = 0;
  if (failed != 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return std::nullopt;
  }
  return std::string(absl::StripAsciiWhitespace(output));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FindProfileFiles(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (fs::is_directory(path, error)) {
      RETURN_IF_ERROR(AddFolder(path, files));
    } else if (fs::exists(path, error)) {
      files.push_back(path);
    } else {
      return Unreadable(path, error);
    }
  }
  if (!files.empty()) return files;
  return Error(absl::StatusCode::kInvalidArgument, "NO_PROFILES", "there is no .yaml or .yml file");
}

absl::StatusOr<std::vector<SignedStatement>> ReadSignaturesBeside(const ProfileFile& file) {
  const std::string path = absl::StrCat(file.name, kSignatureSuffix);
  std::error_code error;
  if (!fs::exists(path, error)) return std::vector<SignedStatement>();
  ASSIGN_OR_RETURN(std::string text, ReadTextFile(path));
  ASSIGN_OR_RETURN(std::vector<SignedStatement> all, ParseSignatureFile(path, text));
  for (const SignedStatement& one : all) {
    if (one.statement.profile_id == file.profile.id && one.statement.revision == file.profile.revision) continue;
    return Error(absl::StatusCode::kInvalidArgument, "SIGNATURE_OF_ANOTHER",
                 absl::StrCat(path, " signs ", one.statement.profile_id, " at ", one.statement.revision, ", and ",
                              file.name, " is ", file.profile.id, " at ", file.profile.revision,
                              ": sign it again, or remove the signature"),
                 {{"file", path}});
  }
  return all;
}

absl::Status WriteTextFile(const std::string& path, const std::string& text) {
  const std::string temporary = absl::StrCat(path, ".tmp");
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  std::error_code error;
  if (file) fs::rename(temporary, path, error);
  if (file && !error) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "FILE_UNWRITABLE",
               absl::StrCat("cannot write ", path, ": ", error ? error.message() : std::strerror(errno)),
               {{"file", path}});
}

Json FindOrigin(const std::string& folder) {
  std::optional<std::string> commit = Git(folder, {"rev-parse", "HEAD"});
  if (!commit || commit->empty()) return Json();
  std::optional<std::string> changes = Git(folder, {"status", "--porcelain", "--", "."});
  Json origin = Json::Object();
  origin.Set("commit", Json::Text(*commit));
  origin.Set("modified", Json::Boolean(!changes || !changes->empty()));
  return origin;
}

Json SignatureJson(const v1::ProfileSignature& signature) {
  Json json = Json::Object();
  json.Set("key_id", Json::Text(signature.key_id()))
      .Set("signature", Json::Text(absl::Base64Escape(signature.signature())))
      .Set("counter", Json::Integer(signature.counter()));
  if (signature.has_expire_time()) {
    absl::Time expires = absl::FromUnixSeconds(signature.expire_time().seconds());
    json.Set("expire_time", Json::Text(absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", expires, absl::UTCTimeZone())));
  }
  return json;
}

v1::ProfileSignature SignatureOfJson(const Json& json) {
  v1::ProfileSignature signature;
  signature.set_key_id(json["key_id"].text());
  signature.set_counter(json["counter"].integer());
  std::string bytes;
  if (absl::Base64Unescape(json["signature"].text(), &bytes)) signature.set_signature(bytes);
  absl::Time expires;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, json["expire_time"].text(), &expires, &error)) {
    signature.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(expires));
  }
  return signature;
}

}  // namespace chartly::cli
