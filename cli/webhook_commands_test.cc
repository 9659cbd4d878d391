#include "absl/strings/numbers.h"
#include "cli/command_fixture_test.h"
#include "common/webhook/webhook_signature.h"

namespace chartly::cli {
namespace {

constexpr char kSecret[] = "a secret of this test, long enough";

}  // namespace

TEST_CASE("webhook send posts the bytes of a file with a signature that fits them") {
  testing::TempDir dir;
  testing::HttpFixture server;
  server.Map("/api/webhooks/sensors", {.body = R"({"webhook_id":"x","already_taken":false})",
                                       .headers = {{"Content-Type", "application/json"}}});
  std::string file = WriteFile(dir.File("rows.csv"), "a,b\n1,\xff\n");
  std::string secret = WriteFile(dir.File("secret"), std::string(kSecret) + "\n");
  CommandResult sent = Chartly({"webhook", "send", "sensors", file, "--secret-file", secret, "--content-type",
                                "text/csv", "--id", "row-1", "--url", server.Url("")});
  INFO(sent.err);
  CHECK(sent.code == 0);
  CHECK(Contains(sent.out, "row-1 is taken"));
  testing::FixtureRequest post = server.requests().back();
  CHECK(post.method == "POST");
  CHECK(post.body == "a,b\n1,\xff\n");
  CHECK(post.headers["content-type"] == "text/csv");
  int64_t seconds = 0;
  REQUIRE(absl::SimpleAtoi(post.headers["webhook-timestamp"], &seconds));
  WebhookHeaders headers{post.headers["webhook-id"], post.headers["webhook-timestamp"],
                         post.headers["webhook-signature"]};
  CHECK(headers.id == "row-1");
  CHECK_OK(VerifyWebhook(headers, post.body, {kSecret}, absl::FromUnixSeconds(seconds), absl::Minutes(5)));
}

TEST_CASE("webhook send tells of a refusal, and of a secret that is none, without showing it") {
  testing::TempDir dir;
  testing::HttpFixture server;
  server.Map("/api/webhooks/sensors",
             {.status = 401,
              .body = R"({"error":{"code":"UNAUTHENTICATED","message":"no fit","reason":"WEBHOOK_SIGNATURE_INVALID"}})",
              .headers = {{"Content-Type", "application/json"}}});
  std::string file = WriteFile(dir.File("rows.json"), "{}");
  std::string secret = WriteFile(dir.File("secret"), kSecret);
  CommandResult refused =
      Chartly({"webhook", "send", "sensors", file, "--secret-file", secret, "--url", server.Url("")});
  CHECK(refused.code == 4);
  CHECK(Contains(refused.err, "WEBHOOK_SIGNATURE_INVALID"));
  WriteFile(secret, "hush");
  CommandResult weak = Chartly({"webhook", "send", "sensors", file, "--secret-file", secret, "--url", server.Url("")});
  CHECK(weak.code == 2);
  CHECK(Contains(weak.err, "WEBHOOK_KEY_INVALID"));
  CHECK_FALSE(Contains(weak.err, "hush"));
  CHECK(server.requests().size() == 1);
}

}  // namespace chartly::cli
