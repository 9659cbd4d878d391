#include "common/profile/auth_reader.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/profile/secret_reader.h"
#include "common/profile/source_url.h"

namespace chartly {
namespace {

constexpr char kSecretExample[] = "{name: NAME, key: KEY}";

struct TypeKeys {
  AuthType type;
  absl::string_view name;
  std::vector<absl::string_view> required;
  std::vector<absl::string_view> optional;
};

const std::vector<TypeKeys>& Types() {
  static const auto* types = new std::vector<TypeKeys>{
      {AuthType::kNone, "none", {}, {}},
      {AuthType::kBasic, "basic", {"username", "secretRef"}, {}},
      {AuthType::kBearer, "bearer", {"secretRef"}, {}},
      {AuthType::kHeader, "header", {"secretRef"}, {"name", "prefix"}},
      {AuthType::kQuery, "query", {"secretRef"}, {"name"}},
      {AuthType::kOauth2, "oauth2", {"token_url", "client_id", "secretRef"}, {"scopes"}},
      {AuthType::kMtls, "mtls", {"certificate", "private_key"}, {}},
  };
  return *types;
}

absl::string_view ExampleOf(absl::string_view key) {
  if (key == "username" || key == "client_id") return "chartly";
  if (key == "token_url") return "https://api.example.gov/oauth2/token";
  return kSecretExample;
}

bool Uses(const TypeKeys& type, absl::string_view key) {
  auto has = [&](const auto& keys) { return std::find(keys.begin(), keys.end(), key) != keys.end(); };
  return has(type.required) || has(type.optional);
}

std::string TypesThatUse(absl::string_view key) {
  std::string names;
  for (const TypeKeys& type : Types()) {
    if (Uses(type, key)) absl::StrAppend(&names, names.empty() ? "" : ", ", type.name);
  }
  return names;
}

void CheckKeys(const NodeAt& at, AuthType auth, NodeReader& reader) {
  auto type = std::find_if(Types().begin(), Types().end(), [&](const TypeKeys& keys) { return keys.type == auth; });
  for (absl::string_view key : type->required) reader.Require(at, key, ExampleOf(key));
  for (absl::string_view key :
       {"secretRef", "username", "client_id", "name", "prefix", "token_url", "scopes", "certificate", "private_key"}) {
    if (Uses(*type, key)) continue;
    reader.RefuseKey(
        at, key,
        absl::StrCat("type: ", type->name, " does not use this key, only: ", TypesThatUse(key), "; leave it out"));
  }
}

void ReadTokenUrl(const NodeAt& at, NodeReader& reader, std::string& out) {
  std::string url;
  reader.Text(at, url, 8192);
  if (url.empty() || url.find("${") != std::string::npos) return;
  std::string host;
  std::string why = CheckUrl(url, host);
  if (!why.empty()) return reader.Fault(at, "PROFILE_URL_INVALID", why);
  out = std::move(url);
}

// A user's name ends at the first colon where it is sent.
void ReadUsername(const NodeAt& at, NodeReader& reader, std::string& out) {
  reader.Text(at, out, 256);
  if (out.find(':') != std::string::npos) reader.Invalid(at, "a user's name holds no colon; the password is secretRef");
}

void ReadName(const NodeAt& at, AuthType type, NodeReader& reader, std::string& out) {
  reader.Text(at, out, 128);
  if (out.empty() || type != AuthType::kHeader) return;
  absl::string_view why = CheckHeaderName(out);
  if (!why.empty()) reader.Invalid(at, why);
}

}  // namespace

absl::string_view CheckHeaderName(absl::string_view name) {
  const absl::string_view connection[] = {"host", "content-length", "connection", "transfer-encoding", "te", "upgrade"};
  const char* allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string lower = absl::AsciiStrToLower(name);
  if (std::find(std::begin(connection), std::end(connection), absl::string_view(lower)) != std::end(connection)) {
    return "the client sets this header; leave it out";
  }
  if (lower.find_first_not_of(allowed) != std::string::npos) {
    return "a header's name has letters, digits, - and _ only";
  }
  return "";
}

void ReadAuth(const NodeAt& at, NodeReader& reader, AuthConfig& out) {
  NodeReader::Choices<AuthType> types;
  for (const TypeKeys& type : Types()) types.emplace_back(std::string(type.name), type.type);
  if (at.node->kind == YamlNode::Kind::kScalar) {
    AuthType type = AuthType::kNone;
    bool known = reader.Choice(at, types, type);
    if (known && type != AuthType::kNone) reader.Invalid(at, absl::StrCat("write {type: ", at.node->text, ", ...}"));
    return;
  }
  bool known = false;
  NodeAt name{nullptr, ""};
  std::vector<NodeReader::Key> keys = {
      {"type", [&](const NodeAt& value) { known = reader.Choice(value, types, out.type); }},
      {"secretRef", [&](const NodeAt& value) { ReadSecretRef(value, reader, out.secret); }},
      {"username", [&](const NodeAt& value) { ReadUsername(value, reader, out.username); }},
      {"client_id", [&](const NodeAt& value) { reader.Text(value, out.username, 256); }},
      {"name", [&](const NodeAt& value) { name = value; }},
      {"prefix", [&](const NodeAt& value) { reader.Text(value, out.prefix, 64); }},
      {"token_url", [&](const NodeAt& value) { ReadTokenUrl(value, reader, out.token_url); }},
      {"scopes", [&](const NodeAt& value) { reader.TextList(value, out.scopes); }},
      {"certificate", [&](const NodeAt& value) { ReadSecretRef(value, reader, out.certificate); }},
      {"private_key", [&](const NodeAt& value) { ReadSecretRef(value, reader, out.private_key); }}};
  for (NodeReader::Key& key : InlineSecretKeys(reader)) keys.push_back(std::move(key));
  if (!reader.Map(at, keys)) return;
  reader.Require(at, "type", "bearer");
  if (name.node != nullptr) ReadName(name, out.type, reader, out.name);
  if (known) CheckKeys(at, out.type, reader);
  if (out.name.empty() && out.type == AuthType::kHeader) out.name = "X-API-Key";
  if (out.name.empty() && out.type == AuthType::kQuery) out.name = "api_key";
}

}  // namespace chartly
