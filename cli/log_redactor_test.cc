#include "cli/log_redactor.h"

#include "test/support/test.h"

namespace chartly::cli {

TEST_CASE("what is a secret goes, and what stands around it stays") {
  const auto [line, left] = GENERATE(table<std::string, std::string>({
      {"GET / Authorization: Bearer abc.def-ghi", "GET / Authorization: Bearer [redacted]"},
      {R"({"authorization":"Basic dXNlcjpwYXNz","a":1})", R"({"authorization":"Basic [redacted]","a":1})"},
      {"X-API-Key: 0123456789abcdef done", "X-API-Key: [redacted] done"},
      {R"(registry_api_key="k1" part="auth")", R"(registry_api_key="[redacted]" part="auth")"},
      {"password=hunter2&next=1", "password=[redacted]&next=1"},
      {R"(client_secret='s p')", R"(client_secret='[redacted] p')"},
      {"Set-Cookie: session=abc; Path=/", "Set-Cookie: [redacted]"},
      {"connects to postgres://app:hunter2@db:5432/x", "connects to postgres://app:[redacted]@db:5432/x"},
      {"key chk_acme.ci_0123456789abcdef was used", "key [redacted] was used"},
      {"got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln it", "got [redacted] it"},
      {"AKIAABCDEFGHIJKLMNOP tried", "[redacted] tried"},
      {R"(key "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----")", "key \"[redacted]"},
  }));
  LogRedactor redactor;
  CHECK(redactor.Redact(line) == left);
  CHECK(redactor.count() == 1);
  // What is redacted stays so.
  CHECK(redactor.Redact(left) == left);
  CHECK(redactor.count() == 1);
}

TEST_CASE("a private key goes with all its lines, and no further than its log") {
  LogRedactor redactor;
  CHECK(redactor.Redact("-----BEGIN EC PRIVATE KEY-----") == "[redacted]");
  CHECK(redactor.Redact("MHcCAQEE") == "[redacted]");
  CHECK(redactor.Redact("-----END EC PRIVATE KEY-----") == "[redacted]");
  CHECK(redactor.Redact("after") == "after");
  redactor.Redact("-----BEGIN RSA PRIVATE KEY-----");
  redactor.Begin();
  CHECK(redactor.Redact("another log") == "another log");
  CHECK(redactor.Redact("-----BEGIN CERTIFICATE-----") == "-----BEGIN CERTIFICATE-----");
}

TEST_CASE("a secret that is known goes wherever it stands") {
  LogRedactor redactor({"s3cr3t-value", "short"});
  CHECK(redactor.Redact("a s3cr3t-value, as3cr3t-valueb, short") == "a [redacted], a[redacted]b, short");
  CHECK(redactor.count() == 2);
}

TEST_CASE("lines without a secret stay as they are") {
  const std::string line = GENERATE(
      as<std::string>(), R"(2026-01-01T00:00:00.000Z info registry serves process=chartly-control request_id="r-1")",
      "fetched https://example.org:8443/a?b=c from 10.0.0.1:80", "the token bucket is full, 3 secrets",
      R"(checked key="people" at="12:30:01")", "");
  LogRedactor redactor;
  CHECK(redactor.Redact(line) == line);
  CHECK(redactor.count() == 0);
}

}  // namespace chartly::cli
