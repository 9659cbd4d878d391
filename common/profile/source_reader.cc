#include "common/profile/source_reader.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace chartly {
namespace {

bool IsHost(absl::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  if (host.front() == '[') return host.back() == ']' && host.find_first_not_of("[]0123456789abcdef:.") == host.npos;
  return host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == host.npos && host.front() != '.' &&
         host.front() != '-';
}

bool IsPort(absl::string_view port) {
  int number = 0;
  return absl::SimpleAtoi(port, &number) && number >= 1 && number <= 65535;
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
void CheckHeaders(const NodeAt& at, NodeReader& reader) {
  const absl::string_view secret[] = {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"};
  const absl::string_view connection[] = {"host", "content-length", "connection", "transfer-encoding", "te", "upgrade"};
  const char* allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_";
  for (const YamlEntry& entry : at.node->entries) {
    NodeAt header{&entry.value, JoinPath(at.path, entry.key)};
    std::string name = absl::AsciiStrToLower(entry.key);
    auto is_name = [&](absl::string_view other) { return other == absl::string_view(name); };
    if (std::any_of(std::begin(secret), std::end(secret), is_name)) {
      reader.Fault(header, "PROFILE_SECRET_REFUSED",
                   "a secret is given by reference only, and this version knows auth: none; leave the header out");
    } else if (std::any_of(std::begin(connection), std::end(connection), is_name)) {
      reader.Invalid(header, "the client sets this header; leave it out");
    } else if (name.find_first_not_of(allowed) != std::string::npos) {
      reader.Invalid(header, "a header's name has letters, digits, - and _ only");
    } else if (entry.value.text.find_first_of("\r\n") != std::string::npos) {
      reader.Invalid(header, "write the header in one line");
    }
  }
}

void ReadAuth(const NodeAt& at, NodeReader& reader) {
  bool none = true;
  const NodeReader::Choices<bool> choices = {{"none", true}};
  if (at.node->kind != YamlNode::Kind::kMap) return reader.Choice(at, choices, none);
  auto type = [&](const NodeAt& value) { reader.Choice(value, choices, none); };
  reader.Map(at, {{"type", type}, {"secretRef", nullptr}, {"header", nullptr}, {"param", nullptr}});
  reader.Require(at, "type", "none");
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

void RefuseKeyFor(const NodeAt& map, absl::string_view key, absl::string_view why, NodeReader& reader) {
  if (map.node->Find(key) != nullptr) reader.Invalid(Child(map, key), why);
}

void CheckPagination(const NodeAt& at, const PaginationConfig& config, NodeReader& reader) {
  if (config.type == PaginationType::kNextUrl) reader.Require(at, "next", "links.next");
  if (config.type != PaginationType::kNextUrl) RefuseKeyFor(at, "next", "only type: next_url uses this key", reader);
  if (config.type != PaginationType::kPage) {
    for (absl::string_view key : {"param", "start", "size_param", "size", "pages"}) {
      RefuseKeyFor(at, key, "only type: page uses this key", reader);
    }
  } else if (config.size_param.empty() != (config.size == 0)) {
    reader.Invalid(at, "size_param and size go together: the parameter's name and the rows of a page");
  }
}

void ReadPagination(const NodeAt& at, NodeReader& reader, PaginationConfig& out) {
  const NodeReader::Choices<PaginationType> types = {
      {"none", PaginationType::kNone}, {"page", PaginationType::kPage}, {"next_url", PaginationType::kNextUrl}};
  if (at.node->kind == YamlNode::Kind::kScalar && at.node->text == "none") return;
  bool is_map =
      reader.Map(at, {{"type", [&](const NodeAt& value) { reader.Choice(value, types, out.type); }},
                      {"param", [&](const NodeAt& value) { reader.Text(value, out.param); }},
                      {"start", [&](const NodeAt& value) { reader.Integer(value, 0, 1'000'000'000, out.start); }},
                      {"size_param", [&](const NodeAt& value) { reader.Text(value, out.size_param); }},
                      {"size", [&](const NodeAt& value) { reader.Integer(value, 1, 1'000'000, out.size); }},
                      {"pages", [&](const NodeAt& value) { reader.Text(value, out.pages); }},
                      {"next", [&](const NodeAt& value) { reader.Text(value, out.next); }},
                      {"offset", nullptr},
                      {"cursor", nullptr}});
  if (!is_map) return;
  reader.Require(at, "type", "page");
  bool type_read = at.node->Find("type") != nullptr && std::any_of(types.begin(), types.end(), [&](const auto& type) {
                     return type.first == at.node->Find("type")->text;
                   });
  if (type_read) CheckPagination(at, out, reader);
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

void CheckHttp(const NodeAt& at, const SourceConfig& source, NodeReader& reader) {
  reader.Require(at, "url", "https://api.example.gov/data.json");
  RefuseKeyFor(at, "path", "only type: file uses this key; an http source has a url", reader);
  if (source.method == "GET") RefuseKeyFor(at, "body", "a GET has no body; write method: POST or leave it out", reader);
  CheckUrlOf(at, source, reader);
}

void CheckFile(const NodeAt& at, const SourceConfig& source, NodeReader& reader) {
  reader.Require(at, "path", "sample/population.csv");
  for (absl::string_view key : {"url", "method", "headers", "query", "body", "pagination", "egress"}) {
    RefuseKeyFor(at, key, "only type: http_rest uses this key", reader);
  }
  if (source.path.empty()) return;
  std::vector<std::string> parts = absl::StrSplit(source.path, '/');
  bool inside = source.path.find('\\') == std::string::npos;
  for (const std::string& part : parts) inside = inside && !part.empty() && part != "." && part != "..";
  if (inside) return;
  reader.Fault(Child(at, "path"), "PROFILE_PATH_INVALID",
               "write a path below the drone's --source-dir: not absolute, no empty part, no \".\" and no \"..\"");
}

}  // namespace

std::string CheckUrl(absl::string_view url, std::string& host) {
  if (url.find_first_of(" \t\r\n\"<>\\^`{|}") != url.npos)
    return "a blank or a character that a url cannot hold; encode it as %20 and so on";
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "https://") && !absl::ConsumePrefix(&rest, "http://")) {
    return "the url must begin with https:// or http://";
  }
  if (url.find('#') != url.npos) return "a fragment (#...) is never sent; leave it out";
  absl::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.find('@') != authority.npos)
    return "user and password do not belong into a url; secrets are given by reference only";
  size_t colon = authority.rfind(':');
  bool has_port = colon != authority.npos && authority.find(']', colon) == authority.npos;
  if (has_port && !IsPort(authority.substr(colon + 1))) return "the port must be a number from 1 to 65535";
  host = absl::AsciiStrToLower(has_port ? authority.substr(0, colon) : authority);
  if (!IsHost(host)) return "the url has no valid host; write https://host/path";
  return "";
}

void ReadSource(const NodeAt& at, NodeReader& reader, SourceConfig& out) {
  const NodeReader::Choices<SourceType> types = {{"http_rest", SourceType::kHttpRest}, {"file", SourceType::kFile}};
  const NodeReader::Choices<Format> formats = {{"auto", Format::kAuto},
                                               {"json", Format::kJson},
                                               {"ndjson", Format::kNdjson},
                                               {"csv", Format::kCsv},
                                               {"tsv", Format::kTsv}};
  const NodeReader::Choices<RowShape> shapes = {{"objects", RowShape::kObjects}, {"header_row", RowShape::kHeaderRow}};
  const NodeReader::Choices<std::string> methods = {{"GET", "GET"}, {"POST", "POST"}};
  bool type_known = false;
  auto read_type = [&](const NodeAt& value) {
    reader.Choice(value, types, out.type);
    for (const auto& type : types) type_known = type_known || type.first == value.node->text;
  };
  auto read_headers = [&](const NodeAt& value) {
    reader.TextMap(value, out.headers);
    CheckHeaders(value, reader);
  };
  bool is_map =
      reader.Map(at, {{"type", read_type},
                      {"url", [&](const NodeAt& value) { reader.Text(value, out.url, 8192); }},
                      {"path", [&](const NodeAt& value) { reader.Text(value, out.path); }},
                      {"method", [&](const NodeAt& value) { reader.Choice(value, methods, out.method); }},
                      {"headers", read_headers},
                      {"query", [&](const NodeAt& value) { reader.TextMap(value, out.query); }},
                      {"body", [&](const NodeAt& value) { reader.LongText(value, out.body); }},
                      {"format", [&](const NodeAt& value) { reader.Choice(value, formats, out.format); }},
                      {"shape", [&](const NodeAt& value) { reader.Choice(value, shapes, out.shape); }},
                      {"records", [&](const NodeAt& value) { reader.Text(value, out.records); }},
                      {"auth", [&](const NodeAt& value) { ReadAuth(value, reader); }},
                      {"pagination", [&](const NodeAt& value) { ReadPagination(value, reader, out.pagination); }},
                      {"egress", [&](const NodeAt& value) { ReadEgress(value, reader, out.egress_allow); }},
                      {"incremental", nullptr}});
  if (!is_map) return;
  RefuseEnvironment(at, reader);
  reader.Require(at, "type", "http_rest");
  if (!type_known) return;
  if (out.type == SourceType::kHttpRest) CheckHttp(at, out, reader);
  if (out.type == SourceType::kFile) CheckFile(at, out, reader);
}

}  // namespace chartly
