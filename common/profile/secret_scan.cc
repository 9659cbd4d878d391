#include "common/profile/secret_scan.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/profile/yaml_document.h"

namespace chartly {
namespace {

// Shorter ones are words or numbers too often.
constexpr size_t kMinRandomBytes = 16;
// Bits a character: words of a language and names with hyphens lie below, random hex and base64 above.
constexpr double kMinEntropy = 3.1;

struct Shape {
  const char* name;
  const char* pattern;
};

constexpr Shape kShapes[] = {
    {"a private key", R"(-----BEGIN [A-Z ]*PRIVATE KEY-----)"},
    {"a key of AWS", R"(\b(?:AKIA|ASIA)[0-9A-Z]{16}\b)"},
    {"a token of GitHub", R"(\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{40,}))"},
    {"a token of GitLab", R"(\bglpat-[0-9A-Za-z_-]{20,})"},
    {"a token of Slack", R"(\bxox[abeoprs]-[0-9A-Za-z-]{10,})"},
    {"a key of Google", R"(\bAIza[0-9A-Za-z_-]{35})"},
    {"a key of Stripe", R"(\b[rs]k_(?:live|test)_[0-9A-Za-z]{16,})"},
    {"a token of npm", R"(\bnpm_[0-9A-Za-z]{36})"},
    {"a key of SendGrid", R"(\bSG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,})"},
    {"a key of Chartly", R"(\bchk_[0-9A-Za-z_]{32,})"},
    {"a key of a webhook", R"(\bwhsec_[0-9A-Za-z+/=]{24,})"},
    {"a JSON web token", R"(\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,})"},
    {"a password in an address", R"([A-Za-z][0-9A-Za-z+.-]*://[^/\s:@]*:[^/\s:@]+@)"},
    {"a bearer token", R"((?i)\b(?:bearer|basic)\s+[0-9A-Za-z+/_.~-]{16,})"},
};

struct CompiledShapes {
  std::array<std::unique_ptr<re2::RE2>, std::size(kShapes)> patterns;
  CompiledShapes() {
    for (size_t i = 0; i < patterns.size(); ++i) patterns[i] = std::make_unique<re2::RE2>(kShapes[i].pattern);
  }
};

const CompiledShapes& Compiled() {
  static const auto* compiled = new CompiledShapes;
  return *compiled;
}

bool IsCredentialName(absl::string_view field) {
  static constexpr absl::string_view kWords[] = {
      "token",       "secret",           "passw",     "apikey",   "api_key",   "api-key",
      "access_key",  "access-key",       "accesskey", "auth_key", "auth-key",  "credential",
      "private_key", "subscription-key", "appid",     "app_id",   "signature", "client_key"};
  const std::string lower = absl::AsciiStrToLower(field);
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](absl::string_view word) { return absl::StrContains(lower, word); });
}

double Entropy(absl::string_view text) {
  std::array<int, 256> counts{};
  for (char c : text) ++counts[static_cast<unsigned char>(c)];
  double bits = 0;
  for (int count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(text.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

bool LooksRandom(absl::string_view value) {
  bool digit = false;
  bool letter = false;
  for (char c : value) {
    const bool plain = absl::ascii_isalnum(c) || c == '+' || c == '/' || c == '=' || c == '_' || c == '-' || c == '.';
    if (!plain) return false;
    digit = digit || absl::ascii_isdigit(c);
    letter = letter || absl::ascii_isalpha(c);
  }
  return digit && letter && value.size() >= kMinRandomBytes && Entropy(value) >= kMinEntropy;
}

// The parameter of an address whose value looks like a key; empty if there is none.
std::string SecretParameter(absl::string_view text) {
  const size_t query = text.find('?');
  if (query == text.npos) return "";
  for (absl::string_view part : absl::StrSplit(text.substr(query + 1), absl::ByAnyChar("&;#"))) {
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const bool named = absl::EqualsIgnoreCase(pair.first, "key") || absl::EqualsIgnoreCase(pair.first, "sig") ||
                       IsCredentialName(pair.first);
    if (named && LooksRandom(pair.second)) return std::string(pair.first);
  }
  return "";
}

class Scanner {
 public:
  explicit Scanner(std::vector<ProfileFault>& faults) : faults_(faults) {}

  void Scan(const YamlNode& node, const std::string& path, absl::string_view field) {
    if (node.kind == YamlNode::Kind::kScalar) ScanText(node.text, node.line, node.column, path, field);
    for (const YamlEntry& entry : node.entries) {
      // A secret for a key of a map must not come back as the path of the fault.
      const bool bad_key = ScanText(entry.key, entry.line, entry.column, path, "");
      Scan(entry.value, bad_key ? path : JoinPath(path, entry.key), bad_key ? "" : entry.key);
    }
    for (size_t i = 0; i < node.items.size(); ++i) Scan(node.items[i], ItemPath(path, i), field);
  }

  // Comments, and everything of a text that is no YAML, have no place in the tree.
  void ScanLines(absl::string_view text) {
    int line = 0;
    for (absl::string_view each : absl::StrSplit(text, '\n')) {
      ++line;
      const std::string shape = SecretShape(each);
      if (!shape.empty() && lines_.count(line) == 0 && !InBlock(line)) Refuse(shape, line, 1, "");
    }
  }

 private:
  bool ScanText(const std::string& text, int line, int column, const std::string& path, absl::string_view field) {
    std::string kind = SecretShape(text);
    const std::string parameter = kind.empty() ? SecretParameter(text) : "";
    if (!parameter.empty()) kind = absl::StrCat("the value of \"", parameter, "\"");
    if (kind.empty() && LooksLikeCredential(field, text)) kind = "a value that looks random";
    if (kind.empty()) return false;
    // A text over several lines is found once.
    blocks_.emplace_back(line, line + static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1);
    Refuse(kind, line, column, path);
    return true;
  }

  bool InBlock(int line) const {
    return std::any_of(blocks_.begin(), blocks_.end(), [line](const std::pair<int, int>& block) {
      return block.first <= line && line <= block.second;
    });
  }

  void Refuse(absl::string_view kind, int line, int column, const std::string& path) {
    if (faults_.size() >= kMaxProfileFaults) return;
    lines_.insert(line);
    faults_.push_back(
        {line, column, path, "PROFILE_SECRET_REFUSED",
         absl::StrCat("this holds ", kind,
                      "; secrets are given by reference only. Take it out of the text, consider it known, "
                      "and write source.auth: {type: bearer, secretRef: {name: NAME, key: KEY}}")});
  }

  std::vector<ProfileFault>& faults_;
  std::set<int> lines_;
  std::vector<std::pair<int, int>> blocks_;
};

}  // namespace

std::string SecretShape(absl::string_view text) {
  for (size_t i = 0; i < std::size(kShapes); ++i) {
    if (re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *Compiled().patterns[i])) {
      return kShapes[i].name;
    }
  }
  return "";
}

bool LooksLikeCredential(absl::string_view field, absl::string_view value) {
  return IsCredentialName(field) && LooksRandom(value);
}

std::vector<ProfileFault> FindSecrets(absl::string_view yaml) {
  std::vector<ProfileFault> faults;
  if (yaml.size() > kMaxProfileBytes) return faults;
  std::vector<ProfileFault> of_yaml;
  const YamlNode root = ReadYaml(yaml, of_yaml);
  Scanner scanner(faults);
  if (of_yaml.empty()) scanner.Scan(root, "", "");
  scanner.ScanLines(yaml);
  return faults;
}

}  // namespace chartly
