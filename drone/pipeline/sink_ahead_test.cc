#include "drone/pipeline/sink_ahead.h"

#include <vector>

#include "absl/synchronization/notification.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

// Takes batches until one that it refuses; the second waits until it may go on.
class GatedSink final : public BatchSink {
 public:
  absl::Status Append(std::string batch, int64_t, const Cursor* cursor) override {
    if (taken.size() == 1) go_on.WaitForNotification();
    if (batch == refused) return absl::UnavailableError(batch);
    taken.push_back(batch + (cursor == nullptr ? "" : " at " + cursor->watermark()));
    return absl::OkStatus();
  }
  absl::Notification go_on;
  std::string refused;
  std::vector<std::string> taken;
};

std::optional<Cursor> CursorAt(const std::string& watermark) {
  Cursor cursor;
  cursor.set_watermark(watermark);
  return cursor;
}

}  // namespace

TEST_CASE("batches reach the sink in order, with their cursors, while the next is made") {
  GatedSink sink;
  SinkAhead ahead(sink);
  REQUIRE_OK(ahead.Append("a", 1, std::nullopt));
  CHECK(ahead.done() == 1);
  // The sink holds this one back, and the caller goes on.
  REQUIRE_OK(ahead.Append("b", 10, CursorAt("7")));
  CHECK(ahead.done() == 1);
  sink.go_on.Notify();
  REQUIRE_OK(ahead.Append("c", 100, std::nullopt));
  REQUIRE_OK(ahead.Finish());
  CHECK(ahead.done() == 111);
  CHECK(sink.taken == std::vector<std::string>{"a", "b at 7", "c"});
  REQUIRE_OK(ahead.Finish());
}

TEST_CASE("after a batch that the sink refused none is taken, and its reason comes back each time") {
  const std::string refused = GENERATE("a", "b", "c");
  GatedSink sink;
  sink.refused = refused;
  sink.go_on.Notify();
  SinkAhead ahead(sink);
  std::vector<std::string> expected;
  bool failed = false;
  for (const char* batch : {"a", "b", "c", "d"}) {
    const absl::Status status = ahead.Append(batch, 1, std::nullopt);
    failed = failed || batch == refused;
    // Of the first it is known at once, of the others when the next comes.
    CHECK(status.ok() == (!failed || (batch == refused && refused != "a")));
    if (!failed) expected.push_back(batch);
  }
  CHECK(ahead.Finish().message() == refused);
  CHECK(sink.taken == expected);
  CHECK(ahead.done() == static_cast<int64_t>(expected.size()));
}

TEST_CASE("what is on its way when it ends is handed on") {
  GatedSink sink;
  sink.go_on.Notify();
  {
    SinkAhead ahead(sink);
    REQUIRE_OK(ahead.Append("a", 1, std::nullopt));
    REQUIRE_OK(ahead.Append("b", 1, std::nullopt));
  }
  CHECK(sink.taken == std::vector<std::string>{"a", "b"});
}

}  // namespace chartly::drone
