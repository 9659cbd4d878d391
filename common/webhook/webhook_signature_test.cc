#include "common/webhook/webhook_signature.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

constexpr char kKey[] = "a key of more than 24 bytes, as text";
// Made with Python: base64(hmac.new(key, b"id-1.1700000000.body", sha256)).
constexpr char kSignature[] = "v1,wOeGSuAbUMEQ8wL6syY+3c7Is6XXohhe73EsQRAirR8=";
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

std::string ReasonOf(WebhookHeaders headers, absl::string_view body = "body", absl::Time now = kNow,
                     std::vector<std::string> keys = {kKey}) {
  absl::Status status = VerifyWebhook(headers, body, keys, now, absl::Minutes(5));
  CHECK(std::string(status.message()).find(kKey) == std::string::npos);
  return status.ok() ? "OK" : Reason(status);
}

}  // namespace

TEST_CASE("a signature is the one that other programs make") {
  CHECK(SignWebhook(kKey, "id-1", 1'700'000'000, "body") == kSignature);
  CHECK(ReasonOf({"id-1", "1700000000", kSignature}) == "OK");
}

TEST_CASE("one fitting signature of several is enough, with any of the keys") {
  std::string several =
      absl::StrCat("v1a,xx v1,AAAA  ", SignWebhook("another key", "id-1", 1'700'000'000, "body"), " ", kSignature);
  CHECK(ReasonOf({"id-1", "1700000000", several}) == "OK");
  CHECK(ReasonOf({"id-1", "1700000000", kSignature}, "body", kNow, {"the new key", kKey}) == "OK");
  CHECK(ReasonOf({"id-1", "1700000000", kSignature}, "body", kNow, {"the new key"}) == "WEBHOOK_SIGNATURE_INVALID");
  CHECK(ReasonOf({"id-1", "1700000000", kSignature}, "body", kNow, {}) == "WEBHOOK_SIGNATURE_INVALID");
}

TEST_CASE("a change of id, time or body breaks the signature") {
  CHECK(ReasonOf({"id-2", "1700000000", kSignature}) == "WEBHOOK_SIGNATURE_INVALID");
  CHECK(ReasonOf({"id-1", "1700000001", kSignature}) == "WEBHOOK_SIGNATURE_INVALID");
  CHECK(ReasonOf({"id-1", "1700000000", kSignature}, "body ") == "WEBHOOK_SIGNATURE_INVALID");
  CHECK(ReasonOf({"id-1", "1700000000", absl::string_view(kSignature).substr(3)}) == "WEBHOOK_SIGNATURE_INVALID");
}

TEST_CASE("a dot in an id is refused, or one signature would fit two deliveries") {
  std::string signature = SignWebhook(kKey, "id-1.1699999999", 1'700'000'000, "body");
  CHECK(signature == SignWebhook(kKey, "id-1", 1'699'999'999, "1700000000.body"));
  CHECK(ReasonOf({"id-1.1699999999", "1700000000", signature}) == "WEBHOOK_ID_INVALID");
  CHECK(ReasonOf({std::string(129, 'x'), "1700000000", signature}) == "WEBHOOK_ID_INVALID");
  CHECK(ReasonOf({"a b", "1700000000", signature}) == "WEBHOOK_ID_INVALID");
}

TEST_CASE("a timestamp outside the tolerance is refused on both sides") {
  WebhookHeaders headers{"id-1", "1700000000", kSignature};
  CHECK(ReasonOf(headers, "body", kNow + absl::Minutes(5)) == "OK");
  CHECK(ReasonOf(headers, "body", kNow - absl::Minutes(5)) == "OK");
  CHECK(ReasonOf(headers, "body", kNow + absl::Seconds(301)) == "WEBHOOK_TIMESTAMP_INVALID");
  CHECK(ReasonOf(headers, "body", kNow - absl::Seconds(301)) == "WEBHOOK_TIMESTAMP_INVALID");
  for (const char* text : {"-1700000000", "+1700000000", "1700000000.0", "now", "17000000000000000000"}) {
    CHECK(ReasonOf({"id-1", text, kSignature}) == "WEBHOOK_TIMESTAMP_INVALID");
  }
}

TEST_CASE("a missing header is named") {
  CHECK(ReasonOf({"", "1700000000", kSignature}) == "WEBHOOK_HEADER_MISSING");
  CHECK(ReasonOf({"id-1", "", kSignature}) == "WEBHOOK_HEADER_MISSING");
  absl::Status status = VerifyWebhook({"id-1", "1700000000", ""}, "", {kKey}, kNow, absl::Minutes(5));
  CHECK(std::string(status.message()).find("webhook-signature") != std::string::npos);
}

TEST_CASE("a secret is text, or base64 after whsec_, of 24 bytes or more") {
  CHECK(WebhookKeyOf(kKey).value() == kKey);
  CHECK(WebhookKeyOf("whsec_" + absl::Base64Escape(kKey)).value() == kKey);
  CHECK(Reason(WebhookKeyOf("whsec_***").status()) == "WEBHOOK_KEY_INVALID");
  CHECK(Reason(WebhookKeyOf("whsec_" + absl::Base64Escape("short")).status()) == "WEBHOOK_KEY_INVALID");
  CHECK(Reason(WebhookKeyOf("short").status()) == "WEBHOOK_KEY_INVALID");
}

}  // namespace chartly
