#include "common/profile/source_reader.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/profile/auth_reader.h"
#include "common/profile/endpoint_reader.h"
#include "common/profile/format_reader.h"
#include "common/profile/incremental_reader.h"
#include "common/profile/pagination_reader.h"
#include "common/profile/partition_reader.h"
#include "common/profile/secret_reader.h"
#include "common/profile/source_url.h"

namespace chartly {
namespace {

constexpr char kAuthExample[] = "source.auth: {type: header, name: X-API-Key, secretRef: {name: NAME, key: KEY}}";
constexpr char kQueryExample[] = "source.auth: {type: query, name: api_key, secretRef: {name: NAME, key: KEY}}";

// A key that only some types of source use.
struct TypedKey {
  absl::string_view key;
  std::vector<SourceType> types;
  absl::string_view why;
};

const std::vector<TypedKey>& TypedKeys() {
  using T = SourceType;
  constexpr absl::string_view kHttp = "only type: http_rest uses this key";
  constexpr absl::string_view kPayload = "the columns of the query are the fields; leave it out";
  static const auto* keys = new std::vector<TypedKey>{
      {"url", {T::kHttpRest}, kHttp},
      {"method", {T::kHttpRest}, kHttp},
      {"headers", {T::kHttpRest}, kHttp},
      {"query", {T::kHttpRest}, kHttp},
      {"body", {T::kHttpRest}, kHttp},
      {"auth", {T::kHttpRest}, kHttp},
      {"pagination", {T::kHttpRest}, kHttp},
      {"egress", {T::kHttpRest}, kHttp},
      {"path", {T::kFile}, "only type: file uses this key; an http source has a url"},
      {"incremental", {T::kHttpRest, T::kPostgres}, "only types http_rest and postgres use this key"},
      {"partition", {T::kHttpRest, T::kFile, T::kPostgres}, "a webhook brings what it brings; leave it out"},
      {"postgres", {T::kPostgres}, "only type: postgres uses this key"},
      {"webhook", {T::kWebhook}, "only type: webhook uses this key"},
      {"format", {T::kHttpRest, T::kFile, T::kWebhook}, kPayload},
      {"shape", {T::kHttpRest, T::kFile, T::kWebhook}, kPayload},
      {"records", {T::kHttpRest, T::kFile, T::kWebhook}, kPayload},
      {"charset", {T::kHttpRest, T::kFile, T::kWebhook}, kPayload},
      {"namespaces", {T::kHttpRest, T::kFile, T::kWebhook}, kPayload},
      {"csv", {T::kHttpRest, T::kFile, T::kWebhook}, kPayload},
      {"unpivot", {T::kHttpRest, T::kFile, T::kWebhook}, kPayload},
  };
  return *keys;
}

// ${NAME} would put what lies in the drone's environment into a request; in a source it is never meant as text.
void RefuseEnvironment(const NodeAt& at, NodeReader& reader) {
  if (at.node->kind == YamlNode::Kind::kMap) {
    for (const YamlEntry& entry : at.node->entries) {
      RefuseEnvironment({&entry.value, JoinPath(at.path, entry.key)}, reader);
    }
  } else if (at.node->kind == YamlNode::Kind::kSequence) {
    for (size_t i = 0; i < at.node->items.size(); ++i) {
      RefuseEnvironment({&at.node->items[i], ItemPath(at.path, i)}, reader);
    }
  } else if (at.node->text.find("${") != std::string::npos) {
    reader.Fault(at, "PROFILE_ENV_REFUSED",
                 "${...} is not replaced: a profile must not read a drone's environment, and secrets are given by "
                 "reference only; write the value, or leave the part out");
  }
}

// Headers that carry secrets come by reference; headers of the connection belong to the client.
void ReadHeaders(const NodeAt& at, NodeReader& reader, std::map<std::string, std::string>& out) {
  reader.TextMap(at, out);
  for (const YamlEntry& entry : at.node->entries) {
    NodeAt header{&entry.value, JoinPath(at.path, entry.key)};
    absl::string_view why = CheckHeaderName(entry.key);
    if (IsSecretHeader(entry.key)) {
      RefuseSecret(header, reader, kAuthExample);
    } else if (!why.empty()) {
      reader.Invalid(header, why);
    } else if (entry.value.text.find_first_of("\r\n") != std::string::npos) {
      reader.Invalid(header, "write the header in one line");
    }
  }
}

void ReadQueryParameters(const NodeAt& at, NodeReader& reader, std::map<std::string, std::string>& out) {
  reader.TextMap(at, out);
  for (const YamlEntry& entry : at.node->entries) {
    if (IsSecretParameter(entry.key)) {
      RefuseSecret({&entry.value, JoinPath(at.path, entry.key)}, reader, kQueryExample);
    }
  }
}

void ReadEgress(const NodeAt& at, NodeReader& reader, std::vector<std::string>& out) {
  auto allow = [&](const NodeAt& hosts) {
    reader.Items(hosts, [&](const NodeAt& item) {
      std::string host;
      reader.Text(item, host, 253);
      if (host.empty()) return;
      host = absl::AsciiStrToLower(host);
      if (!IsHost(host))
        return reader.Invalid(item, "write a host's name alone, without scheme, port or path: api.example.gov");
      out.push_back(host);
    });
  };
  reader.Map(at, {{"allow", allow}});
}

void CheckUrlOf(const NodeAt& at, const SourceConfig& source, NodeReader& reader) {
  if (source.url.empty() || source.url.find("${") != std::string::npos) return;
  NodeAt url = Child(at, "url");
  std::string host;
  std::string why = CheckUrl(source.url, host);
  if (!why.empty()) return reader.Fault(url, "PROFILE_URL_INVALID", why);
  const std::vector<std::string>& allowed = source.egress_allow;
  if (allowed.empty() || std::find(allowed.begin(), allowed.end(), host) != allowed.end()) return;
  reader.Fault(url, "PROFILE_URL_INVALID",
               absl::StrCat("source.egress.allow leaves out the url's own host; add ", host, " to it"));
}

// A parameter that is given and counted would be sent twice.
void CheckParameters(const NodeAt& at, const SourceConfig& source, NodeReader& reader) {
  auto check = [&](bool used, const std::string& name, absl::string_view user) {
    if (!used || name.empty() || source.query.count(name) == 0) return;
    reader.Invalid(Child(Child(at, "query"), name),
                   absl::StrCat(user, " sends this parameter, too; leave it out here"));
  };
  const PaginationConfig& pagination = source.pagination;
  bool counted = pagination.type == PaginationType::kPage || pagination.type == PaginationType::kOffset ||
                 pagination.type == PaginationType::kCursor;
  check(counted, pagination.param, "source.pagination");
  check(counted, pagination.size_param, "source.pagination");
  check(true, source.incremental.param, "source.incremental");
  check(source.auth.type == AuthType::kQuery, source.auth.name, "source.auth");
}

void CheckHttp(const NodeAt& at, const SourceConfig& source, NodeReader& reader) {
  reader.Require(at, "url", "https://api.example.gov/data.json");
  if (source.method == "GET") {
    reader.RefuseKey(at, "body", "a GET has no body; write method: POST or leave it out");
  }
  if (!source.incremental.field.empty()) reader.Require(Child(at, "incremental"), "param", "since");
  CheckUrlOf(at, source, reader);
  CheckParameters(at, source, reader);
}

void CheckFile(const NodeAt& at, const SourceConfig& source, NodeReader& reader) {
  reader.Require(at, "path", "sample/population.csv");
  if (source.path.empty()) return;
  std::vector<std::string> parts = absl::StrSplit(source.path, '/');
  bool inside = source.path.find('\\') == std::string::npos;
  for (const std::string& part : parts) inside = inside && !part.empty() && part != "." && part != "..";
  if (!inside) {
    reader.Fault(Child(at, "path"), "PROFILE_PATH_INVALID",
                 "write a path below the drone's --source-dir: not absolute, no empty part, no \".\" and no \"..\"");
  } else if (source.path.find("**") != std::string::npos) {
    reader.Fault(Child(at, "path"), "PROFILE_PATH_INVALID", "* stands for names in one folder; write */* for two");
  }
}

void CheckPostgres(const NodeAt& at, const SourceConfig& source, NodeReader& reader) {
  reader.Require(at, "postgres",
                 "{host: db.example.gov, database: statistics, user: chartly_reader, query: SELECT id, amount FROM t}");
  const bool incremental = !source.incremental.field.empty();
  if (incremental) {
    NodeAt config = Child(at, "incremental");
    reader.RefuseKey(config, "param", "the watermark is $1 of source.postgres.query; leave it out");
    reader.Require(config, "initial", "\"2020-01-01T00:00:00Z\"");
  }
  if (source.postgres.query.empty() || incremental == (source.postgres.query.find("$1") != std::string::npos)) return;
  reader.Invalid(Child(Child(at, "postgres"), "query"),
                 incremental ? "the query must use the watermark $1: WHERE observed > $1 ORDER BY observed"
                             : "$1 is the watermark of source.incremental, which is not given");
}

void CheckType(const NodeAt& at, const SourceConfig& source, NodeReader& reader) {
  for (const TypedKey& typed : TypedKeys()) {
    bool used = std::find(typed.types.begin(), typed.types.end(), source.type) != typed.types.end();
    if (!used) reader.RefuseKey(at, typed.key, typed.why);
  }
  switch (source.type) {
    case SourceType::kHttpRest:
      CheckHttp(at, source, reader);
      break;
    case SourceType::kFile:
      CheckFile(at, source, reader);
      break;
    case SourceType::kWebhook:
      reader.Require(at, "webhook", "{key: {name: NAME, key: KEY}}");
      break;
    case SourceType::kPostgres:
      return CheckPostgres(at, source, reader);
  }
  CheckFormat(at, source, reader);
}

}  // namespace

void ReadSource(const NodeAt& at, NodeReader& reader, SourceConfig& out) {
  const NodeReader::Choices<SourceType> types = {{"http_rest", SourceType::kHttpRest},
                                                 {"file", SourceType::kFile},
                                                 {"webhook", SourceType::kWebhook},
                                                 {"postgres", SourceType::kPostgres}};
  const NodeReader::Choices<std::string> methods = {{"GET", "GET"}, {"POST", "POST"}};
  bool known = false;
  std::vector<NodeReader::Key> keys = {
      {"type", [&](const NodeAt& value) { known = reader.Choice(value, types, out.type); }},
      {"url", [&](const NodeAt& value) { reader.Text(value, out.url, 8192); }},
      {"path", [&](const NodeAt& value) { reader.Text(value, out.path); }},
      {"method", [&](const NodeAt& value) { reader.Choice(value, methods, out.method); }},
      {"headers", [&](const NodeAt& value) { ReadHeaders(value, reader, out.headers); }},
      {"query", [&](const NodeAt& value) { ReadQueryParameters(value, reader, out.query); }},
      {"body", [&](const NodeAt& value) { reader.LongText(value, out.body); }},
      {"auth", [&](const NodeAt& value) { ReadAuth(value, reader, out.auth); }},
      {"incremental", [&](const NodeAt& value) { ReadIncremental(value, reader, out.incremental); }},
      {"partition", [&](const NodeAt& value) { ReadPartition(value, reader, out.partition); }},
      {"postgres", [&](const NodeAt& value) { ReadPostgres(value, reader, out.postgres); }},
      {"webhook", [&](const NodeAt& value) { ReadWebhook(value, reader, out.webhook); }},
      {"pagination", [&](const NodeAt& value) { ReadPagination(value, reader, out.pagination); }},
      {"egress", [&](const NodeAt& value) { ReadEgress(value, reader, out.egress_allow); }}};
  for (NodeReader::Key& key : FormatKeys(reader, out)) keys.push_back(std::move(key));
  if (!reader.Map(at, keys)) return;
  RefuseEnvironment(at, reader);
  reader.Require(at, "type", "http_rest");
  if (known) CheckType(at, out, reader);
  if (known && out.type != SourceType::kWebhook) CheckPartition(at, out, reader);
}

}  // namespace chartly
