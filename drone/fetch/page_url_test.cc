#include "drone/fetch/page_url.h"

#include "common/status/status.h"
#include "drone/fetch/retry.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

SourceConfig Paged(const std::string& url) {
  SourceConfig source;
  source.url = url;
  source.pagination.type = PaginationType::kPage;
  return source;
}

TEST_CASE("query parameters are escaped and merged into the address") {
  SourceConfig source;
  source.url = "https://h/a?format=json&x=1#part";
  source.query = {{"for", "state:*"}, {"q", "a b&c"}, {"x", "2"}};
  CHECK(*PageUrl(source, "1") == "https://h/a?format=json&x=2&for=state:*&q=a%20b%26c");
  source.url = "https://h/a";
  source.query.clear();
  CHECK(*PageUrl(source, "1") == "https://h/a");
}

TEST_CASE("the page number goes where the profile wants it") {
  CHECK(*PageUrl(Paged("http://h/x?format=json"), "3") == "http://h/x?format=json&page=3");
  CHECK(*PageUrl(Paged("http://h/x?page=9&y=1&page=8"), "3") == "http://h/x?page=3&y=1");
  CHECK(*PageUrl(Paged("http://h/page/{page}/x"), "3") == "http://h/page/3/x");
  CHECK(*PageUrl(Paged("http://h/x?n={page}"), "3") == "http://h/x?n=3");
  SourceConfig sized = Paged("http://h/x");
  sized.pagination.param = "$offset";
  sized.pagination.size_param = "$limit";
  sized.pagination.size = 50;
  CHECK(*PageUrl(sized, "2") == "http://h/x?$limit=50&$offset=2");
  CHECK(Reason(PageUrl(Paged("ftp://h/x"), "1").status()) == "URL_INVALID");
}

TEST_CASE("an address is shown without secrets") {
  CHECK(
      RedactUrl("https://u:p@h/x?api_key=1&y=2&Token=3&access_token=4&registrationkey=5&secret=6&password=7&key=8#f") ==
      "https://h/x?api_key=[redacted]&y=2&Token=[redacted]&access_token=[redacted]&registrationkey=[redacted]&"
      "secret=[redacted]&password=[redacted]&key=[redacted]");
  CHECK(RedactUrl("http://h/x?api%5Fkey=1&keyboard=2") == "http://h/x?api%5Fkey=[redacted]&keyboard=2");
  CHECK(RedactUrl("not an address") == "[redacted]");
}

TEST_CASE("waits between tries grow, stay random and stay bounded") {
  RetryConfig config;
  config.backoff = absl::Milliseconds(500);
  std::mt19937_64 random(1);
  absl::Duration longest;
  for (int i = 0; i < 1000; ++i) {
    CHECK(Backoff(config, 1, random) <= absl::Milliseconds(500));
    longest = std::max(longest, Backoff(config, 3, random));
  }
  CHECK(longest > absl::Milliseconds(1500));
  CHECK(longest <= absl::Seconds(2));
  CHECK(Backoff(config, 1000, random) <= absl::Seconds(30));
}

TEST_CASE("Retry-After is read as seconds and as a date") {
  absl::Time now = absl::FromUnixSeconds(1'445'412'480);  // Wed, 21 Oct 2015 07:28:00 GMT
  CHECK(ParseRetryAfter("120", now) == absl::Seconds(120));
  CHECK(ParseRetryAfter("-5", now) == absl::ZeroDuration());
  CHECK(ParseRetryAfter("Wed, 21 Oct 2015 07:28:30 GMT", now) == absl::Seconds(30));
  CHECK(ParseRetryAfter("Wed, 21 Oct 2015 07:00:00 GMT", now) == absl::ZeroDuration());
  CHECK_FALSE(ParseRetryAfter("soon", now).has_value());
  CHECK_FALSE(ParseRetryAfter("", now).has_value());
}

}  // namespace
}  // namespace chartly::drone
