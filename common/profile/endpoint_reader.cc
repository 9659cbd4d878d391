#include "common/profile/endpoint_reader.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/profile/secret_reader.h"
#include "common/profile/source_url.h"

namespace chartly {
namespace {

void ReadHost(const NodeAt& at, NodeReader& reader, std::string& out) {
  std::string host;
  reader.Text(at, host, 253);
  if (host.empty()) return;
  host = absl::AsciiStrToLower(host);
  if (!IsHost(host)) return reader.Invalid(at, "write a host's name alone, without scheme and port: db.example.gov");
  out = std::move(host);
}

void ReadQuery(const NodeAt& at, NodeReader& reader, std::string& out) {
  reader.LongText(at, out, size_t{16} << 10);
  absl::string_view begin = absl::StripLeadingAsciiWhitespace(out);
  if (absl::StartsWithIgnoreCase(begin, "select") || absl::StartsWithIgnoreCase(begin, "with")) return;
  reader.Invalid(at, "the query must be one SELECT (or WITH ... SELECT); nothing else is run");
}

}  // namespace

void ReadPostgres(const NodeAt& at, NodeReader& reader, PostgresConfig& out) {
  const NodeReader::Choices<std::string> tls = {
      {"verify-full", "verify-full"}, {"require", "require"}, {"disable", "disable"}};
  bool is_map = reader.Map(at, {{"host", [&](const NodeAt& value) { ReadHost(value, reader, out.host); }},
                                {"port", [&](const NodeAt& value) { reader.Integer(value, 1, 65535, out.port); }},
                                {"database", [&](const NodeAt& value) { reader.Text(value, out.database, 63); }},
                                {"user", [&](const NodeAt& value) { reader.Text(value, out.user, 63); }},
                                {"password", [&](const NodeAt& value) { ReadSecretRef(value, reader, out.password); }},
                                {"query", [&](const NodeAt& value) { ReadQuery(value, reader, out.query); }},
                                {"tls", [&](const NodeAt& value) { reader.Choice(value, tls, out.tls); }}});
  if (!is_map) return;
  reader.Require(at, "host", "db.example.gov");
  reader.Require(at, "database", "statistics");
  reader.Require(at, "user", "chartly_reader");
  reader.Require(at, "query", "SELECT id, observed, amount FROM figures");
}

void ReadWebhook(const NodeAt& at, NodeReader& reader, WebhookConfig& out) {
  bool is_map = reader.Map(at, {{"key", [&](const NodeAt& value) { ReadSecretRef(value, reader, out.key); }},
                                {"previous", [&](const NodeAt& value) { ReadSecretRef(value, reader, out.previous); }},
                                {"tolerance", [&](const NodeAt& value) {
                                   reader.Duration(value, absl::Seconds(1), absl::Hours(1), out.tolerance);
                                 }}});
  if (is_map) reader.Require(at, "key", "{name: NAME, key: KEY}");
}

}  // namespace chartly
