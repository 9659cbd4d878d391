// chartly audit verify
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/audit_commands.h"
#include "common/audit/audit_verifier.h"
#include "common/crypto/key_file.h"
#include "common/crypto/signed_note.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

// The names under which a folder holds what verify takes.
constexpr char kLogFile[] = "audit.ndjson";
constexpr char kCheckpointFile[] = "checkpoints.txt";
constexpr char kKeyFile[] = "keys.txt";

struct VerifyOptions {
  std::string path;
  std::vector<std::string> checkpoints;
  std::vector<std::string> keys;
};

absl::Status Unreadable(const std::string& path) {
  return Error(absl::StatusCode::kInvalidArgument, "FILE_UNREADABLE", absl::StrCat("cannot read ", path),
               {{"file", path}});
}

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return file ? absl::StatusOr<std::string>(text) : Unreadable(path);
}

// PEM, or keys as `audit checkpoint --keys` prints them.
absl::StatusOr<std::vector<PublicKey>> ReadKeys(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadWhole(path));
  if (absl::StrContains(text, "-----BEGIN")) return ReadPublicKeys(path);
  std::vector<PublicKey> keys;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
    absl::StatusOr<NoteKey> key = NoteKey::Parse(absl::StripSuffix(line, "\r"));
    if (!key.ok()) return Annotate(key.status(), path);
    keys.push_back(key->key());
  }
  return keys;
}

// A folder holds the log and, beside it, what was kept of checkpoints and keys.
VerifyOptions InFolder(VerifyOptions options) {
  if (!std::filesystem::is_directory(options.path)) return options;
  const std::string folder = options.path;
  options.path = absl::StrCat(folder, "/", kLogFile);
  const auto add = [&](const char* name, std::vector<std::string>& to) {
    const std::string file = absl::StrCat(folder, "/", name);
    if (to.empty() && std::filesystem::exists(file)) to.push_back(file);
  };
  add(kCheckpointFile, options.checkpoints);
  add(kKeyFile, options.keys);
  return options;
}

absl::StatusOr<AuditTrust> ReadTrust(const VerifyOptions& options) {
  AuditTrust trust;
  for (const std::string& path : options.checkpoints) {
    ASSIGN_OR_RETURN(std::string text, ReadWhole(path));
    absl::StatusOr<std::vector<std::string>> notes = SplitNotes(text);
    if (!notes.ok()) return Annotate(notes.status(), path);
    trust.checkpoints.insert(trust.checkpoints.end(), notes->begin(), notes->end());
  }
  for (const std::string& path : options.keys) {
    ASSIGN_OR_RETURN(std::vector<PublicKey> keys, ReadKeys(path));
    trust.keys.insert(trust.keys.end(), keys.begin(), keys.end());
  }
  return trust;
}

absl::StatusOr<AuditVerdict> VerifyFile(const std::string& path, AuditTrust trust) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unreadable(path);
  AuditVerifier verifier(std::move(trust));
  std::string line;
  while (std::getline(file, line)) RETURN_IF_ERROR(verifier.TakeLine(line));
  return verifier.Finish();
}

void Print(Session& session, const AuditVerdict& verdict, const AuditTrust& trust) {
  if (session.json()) {
    session.PrintJson(Json::Object()
                          .Set("origin", Json::Text(verdict.origin))
                          .Set("first_seq", Json::Integer(verdict.first_seq))
                          .Set("size", Json::Integer(verdict.size))
                          .Set("root", Json::Text(HexOf(verdict.root)))
                          .Set("erased", Json::Integer(verdict.erased))
                          .Set("checkpoints", Json::Integer(static_cast<int64_t>(verdict.checkpoints.size())))
                          .Set("key_given", Json::Boolean(!trust.keys.empty())));
    return;
  }
  session.out << "the log " << verdict.origin << " is whole: entries " << verdict.first_seq << " to " << verdict.size
              << ", root " << HexOf(verdict.root) << "\n";
  if (verdict.erased > 0) session.out << verdict.erased << " entries no longer name who did it, as later entries say\n";
  session.out << "compared with " << verdict.checkpoints.size() << " checkpoints kept elsewhere\n";
  if (trust.checkpoints.empty()) {
    session.err << "note: without --checkpoint, whoever holds the key of the log could have written it anew\n";
  }
  if (trust.keys.empty()) {
    session.err << "note: without --key, the keys in the file were taken for true\n";
  }
}

absl::Status RunVerify(Session& session, const VerifyOptions& given) {
  const VerifyOptions options = InFolder(given);
  ASSIGN_OR_RETURN(AuditTrust trust, ReadTrust(options));
  absl::StatusOr<AuditVerdict> verdict = VerifyFile(options.path, trust);
  if (!verdict.ok()) return Annotate(verdict.status(), options.path);
  Print(session, *verdict, trust);
  return absl::OkStatus();
}

}  // namespace

void AddAuditVerify(CLI::App& noun, Session& session) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App& verb = *AddVerb(noun, session, "verify", "Check an exported log; needs no control plane",
                            [&session, options] { return RunVerify(session, *options); });
  verb.add_option("PATH", options->path,
                  "The file, or a folder with audit.ndjson and, if they were kept, checkpoints.txt and keys.txt")
      ->required();
  verb.add_option("--checkpoint", options->checkpoints, "File with checkpoints of the log that were kept elsewhere")
      ->type_name("FILE")
      ->allow_extra_args(false);
  verb.add_option("--key", options->keys, "File with a key of the log that is known from elsewhere")
      ->type_name("FILE")
      ->allow_extra_args(false);
}

}  // namespace chartly::cli
