#include "common/profile/secret_reader.h"

#include <algorithm>
#include <initializer_list>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace chartly {
namespace {

constexpr size_t kMaxSecretNameBytes = 128;

// A part of a path and, in upper case, of the name of a variable: drone/fetch/secrets.h.
bool IsSecretName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxSecretNameBytes || !absl::ascii_isalnum(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-'; });
}

void ReadName(const NodeAt& at, NodeReader& reader, std::string& out) {
  std::string name;
  reader.Text(at, name);
  if (name.empty()) return;
  if (IsSecretName(name)) {
    out = std::move(name);
  } else {
    reader.Invalid(at, absl::StrCat("a secret's name has letters, digits, \".\", \"_\" and \"-\" only, at most ",
                                    kMaxSecretNameBytes, ", and begins with a letter or digit"));
  }
}

bool IsOneOf(absl::string_view name, std::initializer_list<absl::string_view> names) {
  std::string lower = absl::AsciiStrToLower(name);
  return std::find(names.begin(), names.end(), absl::string_view(lower)) != names.end();
}

}  // namespace

void RefuseSecret(const NodeAt& at, NodeReader& reader, absl::string_view instead) {
  reader.Fault(at, "PROFILE_SECRET_REFUSED", absl::StrCat("secrets are given by reference only; write ", instead));
}

void ReadSecretRef(const NodeAt& at, NodeReader& reader, SecretRef& out) {
  if (at.node->kind == YamlNode::Kind::kScalar) return RefuseSecret(at, reader, "{name: NAME, key: KEY}");
  SecretRef ref;
  bool is_map = reader.Map(at, {{"name", [&](const NodeAt& value) { ReadName(value, reader, ref.name); }},
                                {"key", [&](const NodeAt& value) { ReadName(value, reader, ref.key); }}});
  if (!is_map) return;
  reader.Require(at, "name", "bls");
  reader.Require(at, "key", "token");
  if (!ref.name.empty() && !ref.key.empty()) out = std::move(ref);
}

std::vector<NodeReader::Key> InlineSecretKeys(NodeReader& reader) {
  std::vector<NodeReader::Key> keys;
  for (const char* name : {"token", "password", "secret", "value", "key", "api_key", "client_secret"}) {
    auto refuse = [&reader](const NodeAt& value) { RefuseSecret(value, reader, "secretRef: {name: NAME, key: KEY}"); };
    keys.push_back({name, refuse, false});
  }
  return keys;
}

bool IsSecretHeader(absl::string_view name) {
  return IsOneOf(name, {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"});
}

bool IsSecretParameter(absl::string_view name) {
  return IsOneOf(name, {"api_key", "apikey", "api-key", "access_token", "client_secret", "password", "secret"});
}

}  // namespace chartly
