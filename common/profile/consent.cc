#include "common/profile/consent.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/profile/node_reader.h"
#include "common/profile/secret_scan.h"
#include "common/profile/source_url.h"
#include "common/profile/yaml_document.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr double kMostCores = 1024;

void ReadHosts(const NodeAt& at, NodeReader& reader, std::optional<std::vector<std::string>>& out) {
  std::vector<std::string> hosts;
  reader.TextList(at, hosts);
  for (std::string& host : hosts) {
    absl::AsciiStrToLower(&host);
    absl::string_view name = host;
    static_cast<void>(absl::ConsumePrefix(&name, "*."));
    if (!IsHost(name))
      return reader.Invalid(at, "write hosts without scheme and port: api.example.gov or *.example.gov");
  }
  out = std::move(hosts);
}

void ReadPaths(const NodeAt& at, NodeReader& reader, std::optional<std::vector<std::string>>& out) {
  std::vector<std::string> paths;
  reader.TextList(at, paths);
  for (const std::string& path : paths) {
    if (absl::StrContains(path, "*") || absl::StrContains(path, "?")) {
      return reader.Invalid(at,
                            "write files and folders below --source-dir, without * and ?: a folder means all in it");
    }
  }
  out = std::move(paths);
}

void ReadList(const NodeAt& at, NodeReader& reader, std::optional<std::vector<std::string>>& out) {
  out.emplace();
  reader.TextList(at, *out);
}

void ReadCores(const NodeAt& at, NodeReader& reader, double& out) {
  reader.Number(at, out);
  if (out <= 0 || out > kMostCores) reader.Invalid(at, "write a number of cores above 0: 0.5");
}

absl::Status Denied(const std::string& what, absl::string_view allowed) {
  return Error(absl::StatusCode::kPermissionDenied, "CONSENT_DENIED",
               absl::StrCat(what, ", and the consent file of this drone allows ", allowed,
                            "; change the profile, or ask who owns the drone's host"),
               {{"wanted", what}});
}

bool Fits(const std::vector<std::string>& allowed, const std::string& host) {
  return std::any_of(allowed.begin(), allowed.end(), [&](absl::string_view name) {
    return absl::ConsumePrefix(&name, "*") ? absl::EndsWith(host, name) : host == name;
  });
}

absl::Status CheckHost(const std::vector<std::string>& allowed, const char* key, const std::string& host) {
  std::string name = absl::AsciiStrToLower(host);
  if (absl::EndsWith(name, ".")) name.pop_back();
  if (Fits(allowed, name)) return absl::OkStatus();
  return Denied(absl::StrCat(key, " wants to reach ", name), "other hosts only");
}

absl::Status CheckUrlHost(const std::vector<std::string>& allowed, const char* key, const std::string& url) {
  std::string host;
  std::string fault = CheckUrl(url, host);
  if (!fault.empty()) return Denied(absl::StrCat(key, " names no host (", fault, ")"), "certain hosts only");
  return CheckHost(allowed, key, host);
}

// Redirects and next pages stay with the hosts that the profile names, so that these are all it can reach.
absl::Status CheckHosts(const std::vector<std::string>& allowed, const SourceConfig& source) {
  if (source.type == SourceType::kPostgres) return CheckHost(allowed, "source.postgres.host", source.postgres.host);
  if (source.type != SourceType::kHttpRest) return absl::OkStatus();
  RETURN_IF_ERROR(CheckUrlHost(allowed, "source.url", source.url));
  for (const std::string& host : source.egress_allow) {
    RETURN_IF_ERROR(CheckHost(allowed, "source.egress.allow", host));
  }
  if (source.auth.type != AuthType::kOauth2) return absl::OkStatus();
  return CheckUrlHost(allowed, "source.auth.token_url", source.auth.token_url);
}

bool Holds(const std::filesystem::path& folder, const std::filesystem::path& path) {
  auto begin = folder == "." ? folder.end() : folder.begin();
  auto end = folder.has_filename() || folder.empty() ? folder.end() : std::prev(folder.end());
  if (begin == folder.end()) return path.is_relative() && *path.begin() != "..";
  auto [folder_end, path_end] = std::mismatch(begin, end, path.begin(), path.end());
  return folder_end == end;
}

absl::Status CheckPaths(const std::vector<std::string>& allowed, const SourceConfig& source) {
  if (source.type != SourceType::kFile) return absl::OkStatus();
  const std::filesystem::path path = std::filesystem::path(source.path).lexically_normal();
  for (const std::string& folder : allowed) {
    if (Holds(std::filesystem::path(folder).lexically_normal(), path)) return absl::OkStatus();
  }
  return Denied(absl::StrCat("source.path wants to read ", source.path), "other files only");
}

}  // namespace

absl::StatusOr<Consent> ParseConsent(absl::string_view filename, absl::string_view yaml) {
  Consent consent;
  std::vector<ProfileFault> faults = FindSecrets(yaml);
  YamlNode root = faults.empty() ? ReadYaml(yaml, faults) : YamlNode();
  NodeReader reader(faults);
  const std::vector<NodeReader::Key> keys = {
      {"hosts", [&](const NodeAt& at) { ReadHosts(at, reader, consent.hosts); }},
      {"paths", [&](const NodeAt& at) { ReadPaths(at, reader, consent.paths); }},
      {"egress", [&](const NodeAt& at) { ReadList(at, reader, consent.egress); }},
      {"max_bytes",
       [&](const NodeAt& at) { reader.ByteSize(at, std::numeric_limits<int64_t>::max(), consent.max_bytes); }},
      {"rate", [&](const NodeAt& at) { reader.Rate(at, consent.rate); }},
      {"cpu", [&](const NodeAt& at) { ReadCores(at, reader, consent.cpu); }},
      {"memory",
       [&](const NodeAt& at) { reader.ByteSize(at, std::numeric_limits<int64_t>::max(), consent.memory_bytes); }}};
  if (faults.empty()) reader.Map({&root, ""}, keys);
  if (faults.empty()) return consent;
  return Error(absl::StatusCode::kInvalidArgument, "CONSENT_INVALID", FormatFaults(filename, faults));
}

absl::Status CheckConsent(const Consent& consent, const Profile& profile) {
  if (consent.hosts) RETURN_IF_ERROR(CheckHosts(*consent.hosts, profile.source));
  if (consent.paths) RETURN_IF_ERROR(CheckPaths(*consent.paths, profile.source));
  if (profile.limits.max_bytes <= consent.max_bytes) return absl::OkStatus();
  return Denied(absl::StrCat("limits.max_bytes is ", profile.limits.max_bytes), absl::StrCat(consent.max_bytes));
}

}  // namespace chartly
